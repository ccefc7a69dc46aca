import { rearrange } from '../core/rearrange.ts'
import type { Tensor } from '../core/tensor.ts'
import type { Distribution, Init } from './init.ts'
import { Linear } from './linear.ts'

export interface MultiheadAttentionOptions {
  readonly features: number
  readonly heads: number
  /** Whether the query, key and value projections have a bias. */
  readonly inBias: boolean
  readonly outBias: boolean
  /** Initial weights of the query, key and value projections; default: Xavier uniform, as in PyTorch. */
  readonly inWeights?: Distribution
}

/** Query [b n d], key [b m d] and value [b m d]. */
export interface AttentionInputs {
  readonly query: Tensor
  readonly key: Tensor
  readonly value: Tensor
}

/**
 * PyTorch's nn.MultiheadAttention (Attention Is All You Need, arXiv:1706.03762 §3.2.2) with the batch first.
 */
export class MultiheadAttention {
  readonly heads: number
  in_proj_weight: Tensor // [3d d], the rows of query, key and value
  in_proj_bias?: Tensor // [3d]
  out_proj: Linear

  constructor(init: Init, options: MultiheadAttentionOptions) {
    const { features: d, heads, inBias, outBias } = options
    const xavier = { bound: Math.sqrt(6 / (4 * d)) }
    this.heads = heads
    this.in_proj_weight = init.weight([3 * d, d], options.inWeights ?? xavier)
    if (inBias) this.in_proj_bias = init.weight([3 * d], { constant: 0 })
    this.out_proj = new Linear(init, d, d, { bias: outBias })
  }

  /** -> [b n d]; `mask` [n m] is added to the logits. */
  forward({ query, key, value }: AttentionInputs, mask?: Tensor): Tensor {
    const { heads } = this
    const [queryWeight, keyWeight, valueWeight] = this.in_proj_weight.chunk(3, 0)
    const [queryBias, keyBias, valueBias] = this.in_proj_bias?.chunk(3, 0) ?? []
    // Scaling the weights of q saves a pass over the logits [b heads n m].
    const scale = 1 / Math.sqrt(queryWeight.size(1) / heads)
    const q = rearrange(
      query.linear(queryWeight.mul(scale), queryBias?.mul(scale)),
      'b n (heads d) -> b heads n d',
      {
        heads,
      },
    )
    const k = rearrange(key.linear(keyWeight, keyBias), 'b m (heads d) -> b heads d m', { heads })
    const v = rearrange(value.linear(valueWeight, valueBias), 'b m (heads d) -> b heads m d', { heads })
    const logits = q.matmul(k)
    const attention = (mask ? logits.add(mask) : logits).softmax(-1)
    return this.out_proj.forward(rearrange(attention.matmul(v), 'b heads n d -> b n (heads d)'))
  }
}
