// Pooling of NAFNet's channel attention: over the whole map, as in training, or over windows as large as what training saw, which
// pictures of any size then match (Test-time Local Converter, arXiv:2112.04491 §3.2).

import type { Tensor } from '../../core/tensor.ts'

/** Mean over all pixels: [b c h w] -> [b c 1 1]. */
export function globalMean(x: Tensor): Tensor {
  return x.mean([2, 3], { keepDim: true })
}

/** Side of a window at full resolution: one and a half of the training's crops of 256 pixels. */
const windowPx = 384

/**
 * Returns the mean over the window around each pixel of a map of a level, [b c h w] -> [b c h w]; the border's
 * means repeat outside. Windows that hold the whole map give [b c 1 1].
 */
export function localMean(level: number): (x: Tensor) => Tensor {
  const side = windowPx / 2 ** level
  return (x) => {
    const [h, w] = [x.size(2), x.size(3)]
    if (side >= h && side >= w) return globalMean(x)
    const [rows, columns] = [Math.min(side, h), Math.min(side, w)]
    const means = windowSums(windowSums(x, 3, columns), 2, rows).mul(1 / (rows * columns))
    const [top, left] = [Math.floor((rows - 1) / 2), Math.floor((columns - 1) / 2)]
    return means.pad([left, columns - 1 - left, top, rows - 1 - top], 'replicate')
  }
}

/** Sums of `length` neighbors along a dimension, of which there are length − 1 fewer. */
function windowSums(x: Tensor, dim: number, length: number): Tensor {
  const count = x.size(dim) - length + 1
  let sum: Tensor | undefined
  let summed = 0
  // Sums of 1, 2, 4, … neighbors, of which the length is composed.
  let doubled = x
  for (let width = 1; ; width *= 2) {
    if (length & width) {
      const part = doubled.slice(dim, summed, summed + count)
      sum = sum ? sum.add(part) : part
      summed += width
    }
    if (sum && summed === length) return sum
    doubled = doubled.slice(dim, 0, -width).add(doubled.slice(dim, width))
  }
}
