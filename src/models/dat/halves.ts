// Attention within windows that lie for one half of the heads and stand for the other (CAT, arXiv:2211.13654 §3.2), as DAT and RGT have it.

import { RestoreError } from '../../core/errors.ts'
import { rearrange } from '../../core/rearrange.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import type { Linear } from '../../nn/linear.ts'
import { attendHeads, positionBias } from '../../nn/windowAttention.ts'
import { type ImageSize, PixelWindows, type WindowSize } from '../../nn/windows.ts'
import { windowKey } from './layout.ts'
import { PositionNetwork, relativePositions } from './positions.ts'

export interface HalvesOptions {
  readonly channels: number
  readonly heads: number
  readonly window: WindowSize
  readonly qkvBias: boolean
}

/** Windows of both halves of the heads. */
export type HalfWindows = readonly [PixelWindows, PixelWindows]

/** Windows of images of one size, on a grid of their longer side. */
export function halfWindows(
  size: ImageSize<number>,
  [y, x]: WindowSize,
): { readonly plain: HalfWindows; readonly shifted: HalfWindows } {
  const multiple = Math.max(y, x)
  const windows = (window: WindowSize, shift: readonly [number, number]) =>
    new PixelWindows(size, { window, shift, multiple })
  const [down, right] = [Math.floor(y / 2), Math.floor(x / 2)]
  return {
    plain: [windows([y, x], [0, 0]), windows([x, y], [0, 0])],
    shifted: [windows([y, x], [down, right]), windows([x, y], [right, down])],
  }
}

/** Whether a block shifts its windows: every second that attends in space, in even groups from the second on. */
export function isShifted(group: number, block: number): boolean {
  return block % 4 === (group % 2 === 0 ? 2 : 0)
}

/** Position network of half the heads, for windows that lie or stand. */
export class HalfAttention {
  readonly window: WindowSize
  rpe_biases: Tensor // [(2h-1)(2w-1) 2]
  pos: PositionNetwork

  constructor(init: Init, { channels, heads }: HalvesOptions, window: WindowSize) {
    const positions = relativePositions(window)
    this.window = window
    this.rpe_biases = init.buffer([positions.length / 2, 2], positions)
    this.pos = new PositionNetwork(init, Math.floor(Math.floor(channels / 8) / 4), Math.floor(heads / 2))
  }

  get bias(): Tensor {
    return positionBias(this.pos.forward(this.rpe_biases), this.window)
  }
}

export function createHalves(init: Init, options: HalvesOptions): readonly [HalfAttention, HalfAttention] {
  const [y, x] = options.window
  return [new HalfAttention(init, options, [y, x]), new HalfAttention(init, options, [x, y])]
}

interface Halves {
  readonly qkv: Linear
  /** Of both halves. */
  readonly heads: number
  readonly attns: readonly [HalfAttention, HalfAttention]
}

/** [b h·w c] -> what both halves find, and the values of all pixels: [b h·w c] each. */
export function attendInHalves(
  x: Tensor,
  { qkv, heads: all, attns }: Halves,
  windows: HalfWindows,
): { readonly attended: Tensor; readonly value: Tensor } {
  const [queryWeight, keyWeight, valueWeight] = qkv.weight.chunk(3, 0)
  const [queryBias, keyBias, valueBias] = qkv.bias?.chunk(3, 0) ?? []
  const heads = Math.floor(all / 2)
  // Scaling the weights of q saves a pass over the logits.
  const scale = (queryWeight.size(0) / 2 / heads) ** -0.5
  const queries = halves(queryWeight.mul(scale), queryBias?.mul(scale))
  const keys = halves(keyWeight, keyBias)
  const value = x.linear(valueWeight, valueBias)
  const values = value.chunk(2, -1)
  const attend = (i: 0 | 1) => {
    const order = windows[i]
    const [q, k, v] = [x.linear(...queries[i]), x.linear(...keys[i]), values[i]]
    const parts = {
      q: rearrange(order.apply(q), 'b n (heads d) -> b heads n d', { heads }),
      k: rearrange(order.apply(k), 'b n (heads d) -> b heads d n', { heads }),
      v: rearrange(order.apply(v), 'b n (heads d) -> b heads n d', { heads }),
    }
    return order.undo(attendHeads(parts, attns[i].bias, order.mask))
  }
  return { attended: cat([attend(0), attend(1)], 2), value }
}

/** Arguments of a linear layer for each half of its outputs. */
function halves(weight: Tensor, bias: Tensor | undefined) {
  const [w0, w1] = weight.chunk(2, 0)
  const [b0, b1] = bias?.chunk(2, 0) ?? []
  return [[w0, b0] as const, [w1, b1] as const] as const
}

/** Height and width of a window; where its positions are unknown, of n pixels and (2h−1)(2w−1) positions, wide ones are taken. */
export function windowOf(network: string, shapes: KeyShapes): WindowSize {
  const [height, width] = shapes.get(windowKey) ?? []
  if (height !== undefined && width !== undefined) return [height, width]
  const half = 'layers.0.blocks.0.attn.attns.0'
  const { size } = shapeReader(network, shapes)
  const n = size(`${half}.relative_position_index`, 0)
  const positions = size(`${half}.rpe_biases`, 0)
  const halfSum = (4 * n + 1 - positions) / 4
  const shorter = halfSum - Math.sqrt(halfSum ** 2 - n)
  if (Number.isInteger(shorter)) return [shorter, n / shorter]
  throw new RestoreError(
    'checkpoint',
    `${network}: expected a window of whole sides, got ${n} pixels and ${positions} relative positions`,
  )
}
