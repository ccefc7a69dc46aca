// How fast each model is on this device, measured whenever it restores a photo.

import { storedSignal } from '../stored.ts'

/** Seconds per megapixel of the result, by model. */
const paces = storedSignal<Readonly<Record<string, number>>>('limpid-pace', {})

/** Pictures below this size measure the start rather than the model. */
const leastPixels = 100_000

export function recordPace(model: string, seconds: number, pixels: number): void {
  if (pixels >= leastPixels) paces.value = { ...paces.value, [model]: (1e6 * seconds) / pixels }
}

/** Seconds per megapixel; undefined before the first photo. */
export function paceOf(model: string): number | undefined {
  return paces.value[model]
}
