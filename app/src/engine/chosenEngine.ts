// The engine of the place that is chosen, whenever one is asked.

import { createReader } from '../files/readable.ts'
import type { Engine } from './engine.ts'
import { type Place, place } from './place.ts'
import type { WebEngine } from './webEngine.ts'

/** Asks the engine of the chosen place, with files that any of them reads. */
export function chosenEngine(
  engines: Readonly<Record<Place, Engine>> & { readonly browser: WebEngine },
): Engine {
  const current = () => engines[place.value]
  const read = createReader((file) => engines.browser.convert(file))
  return {
    decode: async (file, name) => current().decode((await read(file)).file, name),
    restore: async (file, name, ...request) => {
      const { file: readable, notes } = await read(file)
      const restored = await current().restore(readable, name, ...request)
      return { ...restored, notes: [...notes, ...restored.notes] }
    },
    preview: async (file, ...request) => current().preview((await read(file)).file, ...request),
    storedModels: () => current().storedModels(),
    persist: () => current().persist(),
  }
}
