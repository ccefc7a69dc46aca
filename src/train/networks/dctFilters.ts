// How a first convolution starts where what matters is fine: noise, blur, the blocks of JPEG. From weights by chance it takes tens of
// thousands of pictures to be told from what a picture shows.

import { RestoreError } from '../../core/errors.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'

/** Norms: for detail, of which photos have little, three times that of He's start; for the means next to nothing. */
const [waveNorm, meanNorm] = [4.25, 0.25]

const luma = [0.3, 0.59, 0.11]
const redAndBlue = [
  [0.5, -0.25, -0.25],
  [-0.25, -0.25, 0.5],
]

/**
 * Trainable weights [channels 3 k k]: the cosines of JPEG (DCT-II), all of brightness and the four lowest of each color, each followed
 * by its negative as activations pass half of it; they begin anew where there are more channels. The means weigh least: what a
 * picture shows is mostly in them.
 *
 * @throws RestoreError `usage` for a convolution of other than three channels, or of single pixels
 */
export function localWaves(init: Init, { shape }: Tensor): Tensor {
  const [channels = 0, colors, k = 0] = shape as readonly number[]
  if (colors !== 3 || k < 2)
    throw new RestoreError(
      'usage',
      `localWaves: expected weights [channels 3 k k] with k of 2 or more, got [${shape}]`,
    )
  const wave = (u: number, v: number, color: readonly number[]) => {
    const cosine = (at: number, frequency: number) => Math.cos((Math.PI * (at + 0.5) * frequency) / k)
    const values = color.flatMap((share) =>
      Array.from({ length: k * k }, (_, i) => share * cosine(Math.floor(i / k), u) * cosine(i % k, v)),
    )
    const gain = (u + v === 0 ? meanNorm : waveNorm) / Math.hypot(...values)
    return values.map((value) => gain * value)
  }
  const waves = [
    ...Array.from({ length: k * k }, (_, i) => wave(Math.floor(i / k), i % k, luma)),
    ...redAndBlue.flatMap((color) => [0, 1, 2, 3].map((i) => wave(i >> 1, i % 2, color))),
  ]
  const values = Array.from({ length: channels }, (_, i) => {
    const values = waves[(i >> 1) % waves.length] as readonly number[]
    return i % 2 === 0 ? values : values.map((value) => -value)
  })
  const weight = init.buffer([channels, 3, k, k], values.flat())
  weight.isTrainable = true
  return weight
}
