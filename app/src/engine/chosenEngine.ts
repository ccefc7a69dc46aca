// The engine of the place that is chosen, whenever one is asked.

import type { Engine } from './engine.ts'
import { type Place, place } from './place.ts'

/** Asks the engine of the chosen place. */
export function chosenEngine(engines: Readonly<Record<Place, Engine>>): Engine {
  const current = () => engines[place.value]
  return {
    decode: (...request) => current().decode(...request),
    restore: (...request) => current().restore(...request),
    preview: (...request) => current().preview(...request),
    storedModels: () => current().storedModels(),
    persist: () => current().persist(),
  }
}
