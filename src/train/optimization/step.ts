// The parts of a training step, which the loop and recipes with a loop of their own share.

import type { Tensor } from '../../core/tensor.ts'
import { backward, scalar, scope } from '../../torch/backend.ts'
import { clipGradNorm, type Optimizer } from '../../torch/optim.ts'

/** One loss, or several named ones that are added up. */
export type Losses = Tensor | Readonly<Record<string, Tensor>>

/** Adds the gradients of `share` times the sum of the losses; returns their values. Everything but gradients is freed. */
export function addGradients(losses: () => Losses, share = 1): Readonly<Record<string, number>> {
  return scope(() => {
    // The inner scope frees, before backward needs memory, what autograd did not keep.
    const result = scope(losses)
    const named = isTensor(result) ? { loss: result } : result
    const values = Object.values(named)
    const total = values.slice(1).reduce((sum, value) => sum.add(value), values[0] as Tensor)
    backward(share === 1 ? total : total.mul(share))
    return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, scalar(value)]))
  })
}

function isTensor(losses: Losses): losses is Tensor {
  return 'backend' in losses && 'shape' in losses
}

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
  const { loss: value = Number.NaN } = addGradients(loss)
  return scope(() => {
    const gradNorm = maxGradNorm === undefined ? undefined : scalar(clipGradNorm(parameters, maxGradNorm))
    optimizer.step(learningRate)
    return { loss: value, gradNorm }
  })
}
