// Initial weights for the first convolution of networks that look at fine detail: noise, blur, JPEG blocks.
// With random weights, separating such detail from image content takes tens of thousands of images.

import { RestoreError } from '../../core/errors.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'

/** Norm of the filters, three times that of He's initialization: photos have little fine detail. */
const detailNorm = 4.25
/** Norm of the mean filters: small, because the means carry mostly image content. */
const meanNorm = 0.25

const luma = [0.3, 0.59, 0.11]
const redAndBlue = [
  [0.5, -0.25, -0.25],
  [-0.25, -0.25, 0.5],
]

/**
 * Trainable weights [channels 3 k k] of DCT-II filters, the basis of JPEG: all k² of luma and the four lowest
 * of each color difference. Each filter is followed by its negative, because an activation passes only one
 * sign. The list repeats if there are more channels.
 *
 * @throws RestoreError `usage` unless the convolution has three input channels and a kernel of at least 2 × 2
 */
export function dctFilters(init: Init, { shape }: Tensor): Tensor {
  const [channels = 0, colors, k = 0] = shape as readonly number[]
  if (colors !== 3 || k < 2)
    throw new RestoreError(
      'usage',
      `dctFilters: expected weights [channels 3 k k] with k of 2 or more, got [${shape}]`,
    )
  const filter = (u: number, v: number, color: readonly number[]) => {
    const cosine = (at: number, frequency: number) => Math.cos((Math.PI * (at + 0.5) * frequency) / k)
    const values = color.flatMap((share) =>
      Array.from({ length: k * k }, (_, i) => share * cosine(Math.floor(i / k), u) * cosine(i % k, v)),
    )
    const gain = (u + v === 0 ? meanNorm : detailNorm) / Math.hypot(...values)
    return values.map((value) => gain * value)
  }
  const filters = [
    ...Array.from({ length: k * k }, (_, i) => filter(Math.floor(i / k), i % k, luma)),
    ...redAndBlue.flatMap((color) => [0, 1, 2, 3].map((i) => filter(i >> 1, i % 2, color))),
  ]
  const values = Array.from({ length: channels }, (_, i) => {
    const values = filters[(i >> 1) % filters.length]!
    return i % 2 === 0 ? values : values.map((value) => -value)
  })
  const weight = init.buffer([channels, 3, k, k], values.flat())
  weight.isTrainable = true
  return weight
}
