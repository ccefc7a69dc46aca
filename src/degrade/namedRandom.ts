// Random streams seeded by image name, so results do not depend on the order or number of other images.

import { counterRandom, type Random } from '../core/random.ts'

/** Random stream of an image, by seed and path within its set; the extension is ignored. */
export function randomFor(seed: number, name: string): Random {
  return counterRandom(seed).fork(hashOf(name.replace(/\.[^./]*$/, '')))
}

/** 32-bit FNV-1a over UTF-16 code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
