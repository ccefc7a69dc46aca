// Chance that belongs to an image by its name, so that neither the order nor the number of others changes what happens to it.

import { counterRandom, type Random } from '../core/random.ts'

/** The stream of an image by its path within its set, extension left out: same seed and name, same damage. */
export function randomFor(seed: number, name: string): Random {
  return counterRandom(seed).fork(hashOf(name.replace(/\.[^./]*$/, '')))
}

/** FNV-1a of 32 bits over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
