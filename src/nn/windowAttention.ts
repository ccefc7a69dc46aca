// Multi-head attention within windows with a bias for each relative position (Swin, arXiv:2103.14030 §3.2).

import { constantIndices } from '../core/hostBackend.ts'
import { rearrange } from '../core/rearrange.ts'
import type { Tensor } from '../core/tensor.ts'
import type { Init } from './init.ts'
import { Linear } from './linear.ts'
import type { WindowSize } from './windows.ts'

export interface WindowHeads {
  /** Projects to queries, keys and values: [3c c]. */
  readonly qkv: Linear
  readonly heads: number
  /** Added to the logits of every window: [heads n n]. */
  readonly bias: Tensor | undefined
  /** Added to the logits of each window: [windows 1 n n]. */
  readonly mask?: Tensor | undefined
}

/** Tokens [b·windows n c] -> [b·windows n c], without the output projection. */
export function attendInWindows(tokens: Tensor, { qkv, heads, bias, mask }: WindowHeads): Tensor {
  return attendHeads(projectHeads({ from: tokens, to: tokens }, qkv, heads), bias, mask)
}

/**
 * Projects to the parts of attention from tokens [b n c] to others [b m c]; `arrange` orders keys and values after
 * their projection.
 */
export function projectHeads(
  { from, to, arrange = (x) => x }: AttendedTokens,
  qkv: Linear,
  heads: number,
): Heads {
  const [queryWeight, keyWeight, valueWeight] = qkv.weight.chunk(3, 0)
  const [queryBias, keyBias, valueBias] = qkv.bias?.chunk(3, 0) ?? []
  // Scaling the weights of q saves a pass over the logits.
  const scale = (queryWeight.size(0) / heads) ** -0.5
  const q = from.linear(queryWeight.mul(scale), queryBias?.mul(scale))
  const k = arrange(to.linear(keyWeight, keyBias))
  const v = arrange(to.linear(valueWeight, valueBias))
  return {
    q: rearrange(q, 'b n (heads d) -> b heads n d', { heads }),
    k: rearrange(k, 'b m (heads d) -> b heads d m', { heads }),
    v: rearrange(v, 'b m (heads d) -> b heads m d', { heads }),
  }
}

interface AttendedTokens {
  readonly from: Tensor
  readonly to: Tensor
  readonly arrange?: (projected: Tensor) => Tensor
}

/** Scaled queries [b heads n d], keys [b heads d m] and values [b heads m d]. */
export interface Heads {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
}

/** softmax(q·k + bias + mask)·v: -> [b n heads·d]. */
export function attendHeads({ q, k, v }: Heads, bias: Tensor | undefined, mask: Tensor | undefined): Tensor {
  const products = q.matmul(k)
  const logits = bias ? products.add(bias) : products
  const attention = (mask ? masked(logits, mask) : logits).softmax(-1)
  return rearrange(attention.matmul(v), 'b heads n d -> b n (heads d)')
}

function masked(logits: Tensor, mask: Tensor): Tensor {
  const [windows = 1] = mask.shape
  return logits
    .reshape([-1, windows, ...logits.shape.slice(1)])
    .add(mask)
    .reshape(logits.shape)
}

/** Selects a table's row [(2h-1)(2w-1) heads] for each pair of pixels of a window: -> [heads n n]. */
export function positionBias(table: Tensor, window: WindowSize): Tensor {
  return table.embedding(relativePositions(window)).permute([2, 0, 1])
}

/** Attention within square windows, with a learnt table of biases. */
export class WindowAttention {
  readonly heads: number
  readonly window: WindowSize
  relative_position_bias_table: Tensor // [(2 window − 1)² heads]
  qkv: Linear
  proj: Linear

  constructor(
    init: Init,
    { channels, heads, window, bias }: { channels: number; heads: number; window: number; bias: boolean },
  ) {
    this.heads = heads
    this.window = [window, window]
    this.relative_position_bias_table = init.weight([(2 * window - 1) ** 2, heads], { deviation: 0.02 })
    this.qkv = new Linear(init, channels, 3 * channels, { bias })
    this.proj = new Linear(init, channels, channels, { bias: true })
  }

  /** [b·windows n c] -> [b·windows n c]. */
  forward(x: Tensor, mask: Tensor | undefined): Tensor {
    const bias = positionBias(this.relative_position_bias_table, this.window)
    return this.proj.forward(attendInWindows(x, { qkv: this.qkv, heads: this.heads, bias, mask }))
  }
}

const known = new Map<string, Tensor>()

/** Index of the relative position of each pair of pixels of a window: [n n]. */
function relativePositions([height, width]: WindowSize): Tensor {
  const key = `${height} ${width}`
  const found = known.get(key)
  if (found) return found
  const n = height * width
  const indices = Array.from({ length: n * n }, (_, at) => {
    const [from, to] = [Math.floor(at / n), at % n]
    const dy = Math.floor(from / width) - Math.floor(to / width)
    const dx = (from % width) - (to % width)
    return (dy + height - 1) * (2 * width - 1) + dx + width - 1
  })
  const made = constantIndices(indices, [n, n])
  known.set(key, made)
  return made
}
