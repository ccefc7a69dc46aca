// Parts of a training step, shared by the training loop and by user code with its own loop.

import type { Tensor } from '../../core/tensor.ts'
import { backward, scalar, scope } from '../../torch/backend.ts'
import { clipGradNorm, type Optimizer } from '../../torch/optim.ts'

/** One loss, or several named losses that are summed. */
export type Losses = Tensor | Readonly<Record<string, Tensor>>

/**
 * Adds the gradients of `share` times the sum of the losses to those of the parameters and returns the value
 * of each loss. Frees everything but the gradients.
 */
export function addGradients(losses: () => Losses, share = 1): Readonly<Record<string, number>> {
  return scope(() => {
    // The inner scope frees what autograd does not keep, before backward allocates.
    const result = scope(losses)
    const named = isTensor(result) ? { loss: result } : result
    const values = Object.values(named)
    const total = values.slice(1).reduce((sum, value) => sum.add(value), values[0]!)
    backward(share === 1 ? total : total.mul(share))
    return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, scalar(value)]))
  })
}

function isTensor(losses: Losses): losses is Tensor {
  return 'backend' in losses && 'shape' in losses
}

/** Arguments of {@link trainStep}. */
export interface TrainStep {
  /** Computes the loss of a batch, a scalar. */
  readonly loss: () => Tensor
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly optimizer: Optimizer
  readonly learningRate: number
  /** Largest joint L2 norm of the gradients; the official Restormer training uses 0.01. */
  readonly maxGradNorm?: number | undefined
}

/** Computes and clips the gradients of the loss, and updates the parameters. Frees all other tensors. */
export function trainStep({ loss, parameters, optimizer, learningRate, maxGradNorm }: TrainStep): {
  loss: number
  /** Norm before clipping; undefined without `maxGradNorm`. */
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
