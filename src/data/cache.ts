// Decoded images kept within a budget of memory, as the bytes they have in files: a quarter of their float planes.

import { decodeBytes } from './codec.ts'
import { type Pixels, withoutAlpha } from './image.ts'
import type { ImageSource } from './sources/datasets.ts'

export interface PixelSource {
  readonly length: number
  name(index: number): string
  /** Colour without opacity. In shared memory where the image was kept, so that it goes to a worker without a copy. */
  pixels(index: number): Promise<Pixels>
  /** Memory of the images kept. */
  readonly usedBytes: number
}

/**
 * Decodes images of a source and keeps those that fit, the first to come, for good. In a random order an image just used is no
 * likelier to come again than any other, so making room would only decode more often: what is kept is hit every time.
 */
export function cachePixels(source: ImageSource, budgetBytes: number): PixelSource {
  const kept = new Map<number, Pixels>()
  const pending = new Map<number, Promise<Pixels>>()
  let usedBytes = 0

  const load = async (index: number): Promise<Pixels> => {
    const { pixels } = await decodeBytes(await source.read(index), { name: source.name(index) })
    const opaque = pixels.hasAlpha ? dropAlpha(pixels) : pixels
    const { byteLength } = opaque.data
    if (usedBytes + byteLength > budgetBytes) return opaque
    usedBytes += byteLength
    const shared = { ...opaque, data: inSharedMemory(opaque.data) }
    kept.set(index, shared)
    return shared
  }

  return {
    length: source.length,
    name: (index) => source.name(index),
    pixels: async (index) => {
      const known = kept.get(index) ?? pending.get(index)
      if (known) return await known
      const loading = load(index).finally(() => pending.delete(index))
      pending.set(index, loading)
      return await loading
    },
    get usedBytes() {
      return usedBytes
    },
  }
}

function dropAlpha(pixels: Pixels): Pixels {
  return { ...pixels, hasAlpha: false, data: withoutAlpha(pixels.data, pixels.channels) }
}

function inSharedMemory(data: Uint8Array | Uint16Array): Uint8Array | Uint16Array {
  const memory = new SharedArrayBuffer(data.byteLength)
  const copy = data instanceof Uint16Array ? new Uint16Array(memory) : new Uint8Array(memory)
  copy.set(data)
  return copy
}
