// Attention from windows to larger windows around them (HAT, arXiv:2205.04437).

import { constantIndices } from '../../core/hostBackend.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'
import { Linear } from '../../nn/linear.ts'
import { Mlp } from '../../nn/mlp.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { attendHeads, projectHeads } from '../../nn/windowAttention.ts'
import type { ImageSize, PixelWindows } from '../../nn/windows.ts'

/** Square windows and the larger ones around them, for images of one size. */
export class OverlappingWindows {
  readonly #size: ImageSize<number>
  readonly #margin: number
  readonly #order: Tensor // [b·windows m]
  /** Index of the relative position of each pixel of a window and of the larger one: [n m]. */
  readonly positions: Tensor

  constructor(size: ImageSize<number>, window: number, larger: number) {
    const { b, h, w } = size
    const margin = Math.floor((larger - window) / 2)
    const width = w + 2 * margin
    const order: number[] = []
    for (let image = 0; image < b; image++)
      for (let top = 0; top < h; top += window)
        for (let left = 0; left < w; left += window)
          for (let y = top; y < top + larger; y++)
            for (let x = left; x < left + larger; x++) order.push((image * (h + 2 * margin) + y) * width + x)
    this.#size = size
    this.#margin = margin
    this.#order = constantIndices(order, [order.length / larger ** 2, larger ** 2])
    this.positions = constantIndices(positionsOf(window, larger), [window ** 2, larger ** 2])
  }

  /** Takes pixels to the larger windows, with zeros outside the image: [b h·w c] -> [b·windows m c]. */
  apply(pixels: Tensor): Tensor {
    const { b, h, w } = this.#size
    const c = pixels.size(2)
    const margin = this.#margin
    const padded = pixels.reshape([b, h, w, c]).pad([0, 0, margin, margin, margin, margin])
    return padded.reshape([-1, c]).embedding(this.#order)
  }
}

function positionsOf(window: number, larger: number): readonly number[] {
  const side = window + larger - 1
  const rows = side ** 2
  const m = larger ** 2
  return Array.from({ length: window ** 2 * m }, (_, at) => {
    const [from, to] = [Math.floor(at / m), at % m]
    const dy = Math.floor(to / larger) - Math.floor(from / window) + window - larger + 1
    const dx = (to % larger) - (from % window) + window - larger + 1
    // NOTE: negative indices count from the end of the table, as in the official code.
    return (dy * side + dx + rows) % rows
  })
}

export interface OverlapOptions {
  readonly channels: number
  readonly heads: number
  readonly window: number
  /** Side of the larger windows. */
  readonly overlapWindow: number
  readonly hidden: number
  readonly qkvBias: boolean
}

/** Overlapping cross-attention block. */
export class OverlapBlock {
  readonly heads: number
  norm1: LayerNorm
  qkv: Linear
  relative_position_bias_table: Tensor // [(window + overlapWindow − 1)² heads]
  proj: Linear
  norm2: LayerNorm
  mlp: Mlp

  constructor(init: Init, { channels, heads, window, overlapWindow, hidden, qkvBias }: OverlapOptions) {
    this.heads = heads
    this.norm1 = new LayerNorm(init, channels)
    this.qkv = new Linear(init, channels, 3 * channels, { bias: qkvBias })
    const positions = (window + overlapWindow - 1) ** 2
    this.relative_position_bias_table = init.weight([positions, heads], { deviation: 0.02 })
    this.proj = new Linear(init, channels, channels, { bias: true })
    this.norm2 = new LayerNorm(init, channels)
    this.mlp = new Mlp(init, channels, hidden)
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, windows: PixelWindows, larger: OverlappingWindows): Tensor {
    const normed = this.norm1.forward(x)
    const tokens = { from: windows.apply(normed), to: normed, arrange: (x: Tensor) => larger.apply(x) }
    const parts = projectHeads(tokens, this.qkv, this.heads)
    const bias = this.relative_position_bias_table.embedding(larger.positions).permute([2, 0, 1])
    const attended = windows.undo(attendHeads(parts, bias, undefined))
    const y = x.add(this.proj.forward(attended))
    return y.add(this.mlp.forward(this.norm2.forward(y)))
  }
}
