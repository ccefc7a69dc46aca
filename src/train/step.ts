// One training step, in the order every recipe shares.

import type { Tensor } from '../core/tensor.ts'
import { backward, scalar, scope } from '../torch/backend.ts'
import { clipGradNorm, type Optimizer } from '../torch/optim.ts'

export interface TrainStep {
  /** A scalar, computed from a batch. */
  readonly loss: () => Tensor
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly optimizer: Optimizer
  readonly learningRate: number
  /** Largest joint L2 norm of the gradients; the official Restormer training has 0.01. */
  readonly maxGradNorm?: number | undefined
}

/** Gradients of the loss, clipped, and one update; everything but parameters and gradients is freed. */
export function trainStep({ loss, parameters, optimizer, learningRate, maxGradNorm }: TrainStep): {
  loss: number
  /** Before clipping; only known where it is asked for. */
  gradNorm: number | undefined
} {
  optimizer.zeroGrad()
  let value = Number.NaN
  let gradNorm: number | undefined
  scope(() => {
    // The inner scope frees, before backward needs memory, what autograd did not keep.
    const result = scope(loss)
    backward(result)
    if (maxGradNorm !== undefined) gradNorm = scalar(clipGradNorm(parameters, maxGradNorm))
    optimizer.step(learningRate)
    value = scalar(result)
  })
  return { loss: value, gradNorm }
}
