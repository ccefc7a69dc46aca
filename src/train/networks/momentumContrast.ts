// Momentum contrast (MoCo, arXiv:1911.05722) as used to train DASR's encoder (SYSU-SAIL/DASR@51524af
// moco/builder.py), on one device.

import { RestoreError } from '../../core/errors.ts'
import { inverseNorm } from '../../core/functional.ts'
import type { Tensor } from '../../core/tensor.ts'
import { type Contrast, contrastiveLogits } from '../../models/dasr/dasr.ts'
import type { BatchStatistics } from '../../nn/batchNorm.ts'
import { stateDict } from '../../nn/module.ts'
import { noGrad, scalar, scope } from '../../torch/backend.ts'
import { assign, lerpTensors } from '../../torch/optim.ts'

/** Momentum of the running statistics, PyTorch's default. */
const statisticsMomentum = 0.1

/** Options of {@link contrastStep}. */
export interface MocoOptions {
  /**
   * Decay of the key encoder's weights per step.
   * @default 0.999
   */
  readonly momentum?: number
  /** Divisor of the similarities. @default 0.07 */
  readonly temperature?: number
}

/**
 * Copies the query encoder's weights to the key encoder and normalizes the random queue. Call it before the
 * first step, on a network that is already on libtorch.
 */
export function startContrast(contrast: Contrast): void {
  const { queue, encoder_k, encoder_q } = trainable(contrast)
  scope(() =>
    noGrad(() => {
      const from = stateDict(encoder_q)
      for (const [key, tensor] of stateDict(encoder_k)) assign(tensor, from.get(key)!)
      assign(queue, queue.mul(inverseNorm(queue, 0)))
    }),
  )
}

/**
 * Runs the forward pass of a step on two views [b 3 h w] in 0..1 with the same degradations. Returns the
 * queries' representations [b d], the generator's input, and logits [b 1+keys] for contrastiveLoss, both with
 * gradients. Updates the key encoder, all running statistics and the queue. The order is the official one:
 * query, momentum update, key, logits from the old queue, enqueue.
 *
 * @throws RestoreError `usage` unless the batch divides the queue
 */
export function contrastStep(
  contrast: Contrast,
  { queries, keys }: { readonly queries: Tensor; readonly keys: Tensor },
  { momentum = 0.999, temperature = 0.07 }: MocoOptions = {},
): { readonly representation: Tensor; readonly logits: Tensor } {
  const { queue, queue_ptr, encoder_q, encoder_k } = trainable(contrast)
  const batch = queries.size(0)
  const size = queue.size(1)
  if (size % batch !== 0) {
    throw new RestoreError('usage', `queue: expected a batch that divides its ${size} keys, got ${batch}`)
  }
  const noTap = () => {}
  const representation = encoder_q.forward(queries, noTap, updateStatistics)
  const projected = encoder_q.project(representation)
  const [projectedKeys, negatives] = noGrad(() => {
    const keyWeights = stateDict(encoder_k)
    const pairs = [...stateDict(encoder_q)].filter(([, tensor]) => tensor.isTrainable)
    lerpTensors(
      pairs.map(([key]) => keyWeights.get(key)!),
      pairs.map(([, tensor]) => tensor),
      1 - momentum,
    )
    // Copies the queue: backward needs it unchanged.
    return [encoder_k.project(encoder_k.forward(keys, noTap, updateStatistics)), queue.mul(1)] as const
  })
  const logits = contrastiveLogits(projected, projectedKeys, negatives, temperature)
  noGrad(() => {
    const start = scalar(queue_ptr)
    assign(queue.slice(1, start, start + batch), projectedKeys.transpose(0, 1))
    assign(queue_ptr, queue_ptr.mul(0).add((start + batch) % size))
  })
  return { representation, logits }
}

/** Updates a norm's running statistics with those of a batch; the variance is unbiased, as in PyTorch. */
export function updateStatistics({ norm, mean, variance, count }: BatchStatistics): void {
  noGrad(() => {
    const unbiased = variance.mul(count / (count - 1))
    lerpTensors([norm.running_mean, norm.running_var], [mean, unbiased], statisticsMomentum)
    assign(norm.num_batches_tracked, norm.num_batches_tracked.add(1))
  })
}

function trainable({ queue, queue_ptr, encoder_q, encoder_k }: Contrast) {
  if (queue && queue_ptr && encoder_k) return { queue, queue_ptr, encoder_q, encoder_k }
  throw new RestoreError(
    'usage',
    'DASR: expected a network with a queue and a key encoder, got one without; create it with a queueSize',
  )
}
