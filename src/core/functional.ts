// Composite operations, written once from primitives.

import type { Dim } from './dims.ts'
import { rearrange } from './rearrange.ts'
import type { Tensor } from './tensor.ts'

/** [b c h·f w·f] -> [b c·f² h w], the exact inverse of pixelShuffle. */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  return rearrange(x, 'b c (h fh) (w fw) -> b (c fh fw) h w', { fh: factor, fw: factor })
}

/** 1 / max(‖x‖₂, eps) along a dimension, which is kept with size 1; the gradient is finite at x = 0. */
export function inverseNorm(x: Tensor, dim: number, eps = 1e-12): Tensor {
  return x
    .mul(x)
    .sum([dim], { keepDim: true })
    .clamp(eps * eps)
    .rsqrt()
}

/**
 * x minus its channel mean at every pixel, and the inverse standard deviation:
 * [b c h w] -> [b c h w] and [b 1 h w]. E[x²] − E[x]² would save a pass over x, but leaves two digits of the
 * variance where the mean is 100 deviations from 0.
 */
export function centerChannels(
  x: Tensor,
  eps: number,
): readonly [centered: Tensor, inverseDeviation: Tensor] {
  const centered = x.sub(x.mean([1], { keepDim: true }))
  return [centered, centered.mul(centered).mean([1], { keepDim: true }).add(eps).rsqrt()]
}

/** Mean absolute difference. */
export function l1Loss(output: Tensor, target: Tensor): Tensor {
  return output.sub(target).abs().mean()
}

/** Rounds a size up to a multiple of `multiple`. */
export function roundUp(size: number, multiple: number): number {
  return Math.ceil(size / multiple) * multiple
}

/** Unflattens pixels: [b c h·w] -> [b c h w]. */
export function toImage(x: Tensor, h: Dim, w: Dim): Tensor {
  return rearrange(x, 'b c (h w) -> b c h w', { h, w })
}
