// The attentions of ATD beside that within windows (arXiv:2401.08209 §3.2, §3.3): to a dictionary, and among tokens to which the
// same entry of it is closest.

import { inverseNorm } from '../../core/functional.ts'
import { constantIndices } from '../../core/hostBackend.ts'
import { rearrange } from '../../core/rearrange.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'
import { Linear, projectWeights } from '../../nn/linear.ts'

export interface AttentionOptions {
  readonly channels: number
  readonly heads: number
  readonly qkvBias: boolean
  /** Entries of a dictionary. */
  readonly tokens: number
  /** Features by which tokens are compared with a dictionary. */
  readonly reduced: number
  /** Tokens that attend to each other. */
  readonly categorySize: number
}

/** Token dictionary cross-attention. */
export class DictionaryAttention {
  wq: Linear
  wk: Linear
  wv: Linear
  scale: Tensor // [tokens]

  constructor(init: Init, { channels, reduced, tokens, qkvBias }: AttentionOptions) {
    const linear = (to: number) => new Linear(init, channels, to, { bias: qkvBias })
    this.wq = linear(reduced)
    this.wk = linear(reduced)
    this.wv = linear(channels)
    this.scale = init.weight([tokens], { constant: 0.5 })
  }

  /** [b n c] and a dictionary [b m c] -> [b n c], and the weights of its entries [b n m]. */
  forward(x: Tensor, dictionary: Tensor): { readonly attended: Tensor; readonly similarity: Tensor } {
    const normal = (t: Tensor) => t.mul(inverseNorm(t, 2))
    const sharpness = this.scale
      .clamp(0, 1)
      .mul(Math.log(this.scale.size(0)))
      .add(1)
    // Scaling the keys saves a pass over the logits.
    const keys = normal(projectWeights(dictionary, this.wk)).mul(sharpness.reshape([-1, 1]))
    const similarity = normal(this.wq.forward(x)).matmul(keys.transpose(1, 2)).softmax(-1)
    return { attended: similarity.matmul(projectWeights(dictionary, this.wv)), similarity }
  }
}

/** Queries, keys and values of all tokens: [b n c] each. */
export interface Projected {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
}

/** Largest logarithm of the factor of logits. */
const mostLogitScale = Math.log(100)

/** Adaptive category-based attention: tokens are sorted by category and attend within parts of equal size. */
export class CategoryAttention {
  readonly heads: number
  readonly categorySize: number
  logit_scale: Tensor // [1 1]
  proj: Linear

  constructor(init: Init, { channels, heads, qkvBias, categorySize }: AttentionOptions) {
    this.heads = heads
    this.categorySize = categorySize
    this.logit_scale = init.weight([1, 1], { constant: Math.log(10) })
    this.proj = new Linear(init, channels, channels, { bias: qkvBias })
  }

  /** [b n c], by the weights of a dictionary's entries [b n m] -> [b n c]. */
  forward({ q, k, v }: Projected, similarity: Tensor): Tensor {
    const { heads } = this
    const b = q.size(0)
    const n = q.size(1)
    const length = Math.min(n, this.categorySize)
    const parts = Math.ceil(n / length)
    // NOTE: pixels of one category keep their order; the official code's sort is unstable, so processors differ.
    const order = similarity.argmax(2).argsort(1)
    const filled = parts * length === n ? order : order.gather(1, mirroredEnd(b, n, parts * length))
    const rows = inBatch(filled, n)
    const take = (t: Tensor) => t.reshape([b * n, -1]).embedding(rows)
    const toParts = (t: Tensor) =>
      rearrange(take(t), 'b (p s) (heads d) -> b p heads s d', { p: parts, heads })
    const scaled = q.mul(this.logit_scale.clamp(Number.NEGATIVE_INFINITY, mostLogitScale).exp())
    const attention = toParts(scaled).matmul(toParts(k).transpose(-2, -1)).softmax(-1)
    const attended = rearrange(attention.matmul(toParts(v)), 'b p heads s d -> (b p s) (heads d)')
    return this.proj.forward(attended.embedding(inBatch(order.argsort(1), parts * length)))
  }
}

/** Indices of n sorted tokens, and of the last ones in reverse up to `length`: [b length]. */
function mirroredEnd(b: number, n: number, length: number): Tensor {
  const indices = Array.from({ length }, (_, i) => (i < n ? i : 2 * n - 1 - i))
  return constantIndices(new Array<readonly number[]>(b).fill(indices).flat(), [b, length])
}

/** Indices of rows of each image [b n] -> indices of the rows of all images. */
function inBatch(indices: Tensor, rows: number): Tensor {
  const b = indices.size(0)
  return b === 1
    ? indices
    : indices.add(
        constantIndices(
          Array.from({ length: b }, (_, i) => i * rows),
          [b, 1],
        ),
      )
}
