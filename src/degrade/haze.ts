// Haze: I = J t + A (1 - t), t = exp(-beta d) (Koschmieder). The depth d is guessed from the photo: height in
// the frame, existing haze (dark channel; He, Sun, Tang, CVPR 2009) and random drift, with edges transferred
// by a guided filter.

import { exp } from '../core/exactMath.ts'
import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import {
  airlight,
  blendTowards,
  blurField,
  emptyField,
  type Field,
  luminance,
  noiseField,
  smoothstep,
} from './numerics/fields.ts'

/** Guesses a plausible depth map [h w], from 0 (near) to 1 (far). */
export function guessDepth(image: Image, random: Random): Field {
  const { width, height } = image
  const reach = Math.max(width, height)
  const dark = blurField(darkChannel(image), reach / 60)
  const drift = noiseField(width, height, reach / 2.5, 2, random).values
  // The horizon lies in the upper half: everything above is far, the ground below comes nearer like a plane.
  const horizon = 0.15 + 0.35 * random.uniform()
  const raw = emptyField(width, height)
  for (let y = 0; y < height; y++) {
    const below = Math.max((y + 0.5) / height - horizon, 0)
    const ground = 0.16 / (below + 0.16)
    for (let x = 0; x < width; x++) {
      const i = y * width + x
      const value = 0.62 * ground + 0.38 * smoothstep(0.05, 0.85, dark.values[i]!) + 0.05 * drift[i]!
      raw.values[i] = Math.min(Math.max(value, 0), 1)
    }
  }
  return guidedFilter(luminance(image), raw, reach / 16, 2e-3)
}

/** Minimum over channels. */
function darkChannel({ width, height, channels, data }: Image): Field {
  const field = emptyField(width, height)
  const pixels = field.values.length
  field.values.set(data.subarray(0, pixels))
  for (let i = pixels; i < channels * pixels; i++) {
    if (data[i]! < field.values[i % pixels]!) field.values[i % pixels] = data[i]!
  }
  return field
}

/** Smooths a field but keeps the guide's edges (He, Sun, Tang, ECCV 2010), with Gaussian windows. */
function guidedFilter(guide: Field, field: Field, sigma: number, softness: number): Field {
  const product = (a: Field, b: Field): Field => ({
    ...a,
    values: a.values.map((value, i) => value * b.values[i]!),
  })
  const meanGuide = blurField(guide, sigma)
  const meanField = blurField(field, sigma)
  const meanSquare = blurField(product(guide, guide), sigma)
  const meanProduct = blurField(product(guide, field), sigma)
  const slope = emptyField(guide.width, guide.height)
  const offset = emptyField(guide.width, guide.height)
  for (let i = 0; i < slope.values.length; i++) {
    const g = meanGuide.values[i]!
    const f = meanField.values[i]!
    const a = (meanProduct.values[i]! - g * f) / (Math.max(meanSquare.values[i]! - g * g, 0) + softness)
    slope.values[i] = a
    offset.values[i] = f - a * g
  }
  const a = blurField(slope, sigma)
  const b = blurField(offset, sigma)
  const values = guide.values.map((g, i) => Math.min(Math.max(a.values[i]! * g + b.values[i]!, 0), 1))
  return { ...guide, values }
}

const hazeParameters = {
  density: {
    type: 'number',
    summary: 'scattering; exp(-density) of the light from the farthest point remains',
    unit: '',
    minimum: 0,
    maximum: 10,
    default: [0.6, 1.8],
  },
  light: {
    type: 'number',
    summary: 'brightness of the haze',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.7, 1],
  },
  patches: {
    type: 'number',
    summary: 'how uneven the haze is',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0, 0.35],
  },
} as const satisfies Parameters

/** Haze or fog that thickens with a depth guessed from the photo. */
export const haze = defineDegradation({
  name: 'haze',
  summary: 'haze or fog that thickens with a depth guessed from the photo',
  source:
    'I = J t + A (1 - t) with the ranges of RESIDE (Li et al., arXiv:1712.04143): beta 0.6..1.8, A 0.7..1',
  parameters: hazeParameters,
  apply(image, drawn, random) {
    const { width, height } = image
    const depth = guessDepth(image, random.fork(0))
    const patches = noiseField(width, height, Math.max(width, height) / 3, 4, random.fork(1)).values
    const opacity = depth.values.map((value, i) => {
      const density = drawn.density * Math.max(1 + drawn.patches * patches[i]!, 0.1)
      return 1 - exp(-density * value)
    })
    const tint = airlight(image, 0.01)
    const mean = tint.reduce((sum, value) => sum + value, 0) / tint.length
    // Of a black picture the haze is gray.
    const hue = (value: number) => (mean === 0 ? 1 : (0.5 * value + 0.5 * mean) / mean)
    const color = tint.map((value) => Math.min(drawn.light * hue(value), 1))
    return blendTowards(image, { width, height, values: opacity }, color)
  },
})
