// Momentum contrast (MoCo, arXiv:1911.05722) as DASR trains its encoder with it (SYSU-SAIL/DASR@51524af moco/builder.py), on one
// device.

import { RestoreError } from '../../core/errors.ts'
import { inverseNorm } from '../../core/functional.ts'
import type { Tensor } from '../../core/tensor.ts'
import { type Contrast, contrastiveLogits } from '../../models/dasr/dasr.ts'
import type { BatchStatistics } from '../../nn/batchNorm.ts'
import { stateDict } from '../../nn/module.ts'
import { noGrad, scalar, scope } from '../../torch/backend.ts'
import { assign, lerpTensors } from '../../torch/optim.ts'

/** How far running statistics move towards those of a batch; PyTorch's default. */
const statisticsShare = 0.1

export interface MocoOptions {
  /** What the key encoder keeps of its weights in a step. */
  readonly momentum?: number
  readonly temperature?: number
}

/** Makes contrastive training ready to start: the key encoder as the other, the queue random. On libtorch, before the first step. */
export function startContrast(contrast: Contrast): void {
  const { queue, encoder_k, encoder_q } = trainable(contrast)
  scope(() =>
    noGrad(() => {
      const from = stateDict(encoder_q)
      for (const [key, tensor] of stateDict(encoder_k)) assign(tensor, from.get(key) as Tensor)
      assign(queue, queue.mul(inverseNorm(queue, 0)))
    }),
  )
}

/**
 * One step's forward pass on two views [b 3 h w] in 0..1 of the same degradations: the queries' representations [b d], which the
 * generator takes, and logits [b 1+keys] for contrastiveLoss, both with gradients. Moves the key encoder, all running
 * statistics and the queue. The order is the official one: query, momentum, key, logits by the queue as it was, enqueue.
 */
export function contrastStep(
  contrast: Contrast,
  { queries, keys }: { readonly queries: Tensor; readonly keys: Tensor },
  { momentum = 0.999, temperature = 0.07 }: MocoOptions = {},
): { readonly representation: Tensor; readonly logits: Tensor } {
  const { queue, queue_ptr, encoder_q, encoder_k } = trainable(contrast)
  const [batch, size] = [queries.size(0), queue.size(1)]
  if (size % batch !== 0) {
    throw new RestoreError('usage', `queue: expected a batch that divides its ${size} keys, got ${batch}`)
  }
  const noTap = () => {}
  const representation = encoder_q.forward(queries, noTap, followBatch)
  const projected = encoder_q.project(representation)
  const [projectedKeys, others] = noGrad(() => {
    const moved = stateDict(encoder_k)
    const pairs = [...stateDict(encoder_q)].filter(([, tensor]) => tensor.isTrainable)
    lerpTensors(
      pairs.map(([key]) => moved.get(key) as Tensor),
      pairs.map(([, tensor]) => tensor),
      1 - momentum,
    )
    // The queue is copied: backward needs it as it was.
    return [encoder_k.project(encoder_k.forward(keys, noTap, followBatch)), queue.mul(1)] as const
  })
  const logits = contrastiveLogits(projected, projectedKeys, others, temperature)
  noGrad(() => {
    const at = scalar(queue_ptr)
    assign(queue.slice(1, at, at + batch), projectedKeys.transpose(0, 1))
    assign(queue_ptr, queue_ptr.mul(0).add((at + batch) % size))
  })
  return { representation, logits }
}

/** Moves a norm's running statistics towards those of a batch; the variance without bias, as PyTorch does. */
export function followBatch({ norm, mean, variance, count }: BatchStatistics): void {
  noGrad(() => {
    const unbiased = variance.mul(count / (count - 1))
    lerpTensors([norm.running_mean, norm.running_var], [mean, unbiased], statisticsShare)
    assign(norm.num_batches_tracked, norm.num_batches_tracked.add(1))
  })
}

function trainable({ queue, queue_ptr, encoder_q, encoder_k }: Contrast) {
  if (queue && queue_ptr && encoder_k) return { queue, queue_ptr, encoder_q, encoder_k }
  throw new RestoreError(
    'usage',
    'DASR: expected a network with queue and key encoder to train, got one without; create it with a queueSize',
  )
}
