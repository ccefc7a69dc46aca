// Exponential moving average of the weights, validated and published if a recipe sets `ema`.

import { isFloat } from '../../core/data.ts'
import type { Tensor } from '../../core/tensor.ts'
import { mapTensors, stateDict } from '../../nn/module.ts'
import { type Device, toTorch } from '../../torch/backend.ts'
import { assign, lerpTensors } from '../../torch/optim.ts'

/** Decay of the average after a step (0-based): 0 copies the weights, 1 leaves the average unchanged. */
export type EmaDecay = (step: number) => number

/** Constant decay. */
export function emaDecay(beta: number): EmaDecay {
  return () => beta
}

/**
 * Warm-up schedule of ema_pytorch: updates every 10th step, copies the weights until step 100, then decays by
 * 1 − (1 + n)^(−2/3) at the n-th step since, at most beta.
 */
export function emaPytorch({ beta }: { readonly beta: number }): EmaDecay {
  return (step) => {
    if (step % 10 !== 0) return 1
    // NOTE: the first update after the warm-up is a copy too, as in ema_pytorch.
    if (step <= 110) return 0
    return Math.min(beta, 1 - (1 + step - 100) ** (-2 / 3))
  }
}

/** A second instance of a network that holds the averaged weights. */
export class Ema<N extends object> {
  readonly network: N
  readonly #averages: readonly Tensor[]
  readonly #sources: readonly Tensor[]
  /** Buffers, which are copied rather than averaged. */
  readonly #copied: readonly (readonly [to: Tensor, from: Tensor])[]

  /** Copies the weights of `network` into `twin`, another instance of it. */
  constructor(network: N, twin: N, device: Device) {
    const source = stateDict(network)
    mapTensors(twin, (_, key) => toTorch(source.get(key)!, device))
    this.network = twin
    const pairs = [...stateDict(twin)].map(([key, to]) => [to, source.get(key)!] as const)
    const isAveraged = ([, from]: readonly [Tensor, Tensor]) => from.isTrainable && isFloat(from.dtype)
    this.#averages = pairs.filter(isAveraged).map(([to]) => to)
    this.#sources = pairs.filter(isAveraged).map(([, from]) => from)
    this.#copied = pairs.filter((pair) => !isAveraged(pair))
  }

  /** Updates the average after one step. */
  update(decay: number): void {
    if (decay === 1) return
    lerpTensors(this.#averages, this.#sources, 1 - decay)
    for (const [to, from] of this.#copied) assign(to, from)
  }
}
