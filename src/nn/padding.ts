// Pads images to sizes that a network takes, and undoes it.

import { formatShape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import { roundUp } from '../core/functional.ts'
import type { PadMode } from '../core/ops.ts'
import { cat, type Tensor } from '../core/tensor.ts'

/** Pads bottom and right to a multiple of `multiple`; a named size is assumed to be one. */
export function padTo(x: Tensor, multiple: number, mode: PadMode): Tensor {
  const [h, w] = x.shape
    .slice(2)
    .map((size) => (typeof size === 'number' ? roundUp(size, multiple) - size : 0))
  if (!h && !w) return x
  const smallest = Math.min(Number(x.shape[2]) - (h ?? 0), Number(x.shape[3]) - (w ?? 0))
  if (mode === 'reflect' && smallest < 1) {
    throw new RestoreError(
      'shape',
      `padding: expected sides larger than their reflection padding to a multiple of ${multiple}, got ${formatShape(x.shape)}; use a larger image`,
    )
  }
  return x.pad([0, w ?? 0, 0, h ?? 0], mode)
}

/** Pads bottom and right to a multiple of `multiple` with the mirrored image, whose border comes twice. */
export function padMirrored(x: Tensor, multiple: number): Tensor {
  return [2, 3].reduce((y, dim) => {
    const size = y.size(dim)
    const missing = roundUp(size, multiple) - size
    if (missing === 0) return y
    if (missing > size) {
      throw new RestoreError(
        'shape',
        `padding: expected sides of at least half of ${multiple}, got ${formatShape(x.shape)}; use a larger image`,
      )
    }
    // Reflection leaves the border out.
    const reflected = y.pad(dim === 2 ? [0, 0, 0, missing - 1] : [0, missing - 1, 0, 0], 'reflect')
    return cat([y, reflected.slice(dim, size - 1, size + missing - 1)], dim)
  }, x)
}

/** Crops x to the height and width of `like` times `scale`, undoing `padTo`. */
export function cropLike(x: Tensor, like: Tensor, scale = 1): Tensor {
  return [2, 3].reduce((y, dim) => {
    const size = like.shape[dim]
    if (typeof size !== 'number' || size * scale === y.shape[dim]) return y
    return y.slice(dim, 0, size * scale)
  }, x)
}
