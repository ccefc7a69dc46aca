// A bias for each relative position in a window, computed from the position by a small network (CrossFormer, arXiv:2108.00154).

import type { Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'
import { Linear, projectWeights } from '../../nn/linear.ts'
import { LayerNorm } from '../../nn/norm.ts'
import type { WindowSize } from '../../nn/windows.ts'

const eps = 1e-5

// A trace computes all of this on weights in host memory, which has no op for linear layers, norms and ReLU.

function normalize(x: Tensor, { weight, bias }: LayerNorm): Tensor {
  const centered = x.sub(x.mean([1], { keepDim: true }))
  const variance = centered.mul(centered).mean([1], { keepDim: true })
  return centered.mul(variance.add(eps).rsqrt()).mul(weight).add(bias)
}

type Stage = readonly [LayerNorm, null, Linear]

export class PositionNetwork {
  pos_proj: Linear
  pos1: Stage
  pos2: Stage
  pos3: Stage

  constructor(init: Init, features: number, heads: number) {
    const stage = (out: number): Stage => [
      new LayerNorm(init, features),
      null, // a ReLU
      new Linear(init, features, out, { bias: true }),
    ]
    this.pos_proj = new Linear(init, 2, features, { bias: true })
    this.pos1 = stage(features)
    this.pos2 = stage(features)
    this.pos3 = stage(heads)
  }

  /** Relative positions [(2h-1)(2w-1) 2] -> biases [(2h-1)(2w-1) heads]. */
  forward(positions: Tensor): Tensor {
    return [this.pos1, this.pos2, this.pos3].reduce(
      (x, [norm, , last]) => projectWeights(normalize(x, norm).clamp(0), last),
      projectWeights(positions, this.pos_proj),
    )
  }
}

/** Relative positions of the pixels of a window, row by row: [(2h-1)(2w-1) 2]. */
export function relativePositions([height, width]: WindowSize): readonly number[] {
  const columns = 2 * width - 1
  return Array.from({ length: (2 * height - 1) * columns }, (_, i) => [
    Math.floor(i / columns) - height + 1,
    (i % columns) - width + 1,
  ]).flat()
}
