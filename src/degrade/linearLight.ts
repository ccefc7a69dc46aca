// Damage that happens to light before a camera encodes it.

import type { Image } from '../data/image.ts'
import type { Degrade } from './defineDegradation.ts'
import { between } from './numerics/fields.ts'
import { decodeSrgb, encodeSrgb } from './numerics/srgb.ts'

/** Options of {@link inLinearLight}. */
export interface LinearLightOptions {
  /** Range of how much brighter than white clipped values are, drawn once an image. @default [1, 1] */
  readonly highlights?: readonly [low: number, high: number]
}

/** Smallest sRGB value that counts as clipped. */
const clipped = 250 / 255

/**
 * Applies a step to linear light, where light mixes: a lamp blurred by motion leaves a bright trace. The
 * result is clipped to white.
 */
export function inLinearLight(step: Degrade, { highlights = [1, 1] }: LinearLightOptions = {}): Degrade {
  return (image: Image, random) => {
    const gain = between(random.fork(1), ...highlights)
    const decode = (value: number) => decodeSrgb(value) * (value >= clipped ? gain : 1)
    const changed = step({ ...image, data: image.data.map(decode) }, random.fork(0))
    return { ...changed, data: changed.data.map(encodeSrgb) }
  }
}
