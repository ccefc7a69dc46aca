// A running average of the weights: what is validated and published where a recipe asks for it.

import { isFloat } from '../../core/data.ts'
import type { Tensor } from '../../core/tensor.ts'
import { mapTensors, stateDict } from '../../nn/module.ts'
import { type Device, toTorch } from '../../torch/backend.ts'
import { assign, lerpTensors } from '../../torch/optim.ts'

/** How much of the average stays after a step (0-based): 0 copies the weights, 1 leaves the average alone. */
export type EmaDecay = (step: number) => number

/** The same share after every step. */
export function emaDecay(beta: number): EmaDecay {
  return () => beta
}

/**
 * The warm-up of ema_pytorch: every 10th step counts, a plain copy until step 100, then 1 − (1 + n)^(−2/3) of the n-th step
 * since, at most beta.
 */
export function emaPytorch({ beta }: { readonly beta: number }): EmaDecay {
  return (step) => {
    if (step % 10 !== 0) return 1
    // NOTE: the first update after the copies is a copy too, as there.
    if (step <= 110) return 0
    return Math.min(beta, 1 - (1 + step - 100) ** (-2 / 3))
  }
}

export class Ema<N extends object> {
  /** The network with the averaged weights. */
  readonly network: N
  readonly #averaged: readonly Tensor[]
  readonly #followed: readonly Tensor[]
  readonly #copied: readonly (readonly [to: Tensor, from: Tensor])[]

  /** `twin` is another instance of the network; it gets a copy of the weights. */
  constructor(network: N, twin: N, device: Device) {
    const source = stateDict(network)
    mapTensors(twin, (_, key) => toTorch(source.get(key) as Tensor, device))
    this.network = twin
    const pairs = [...stateDict(twin)].map(([key, to]) => [to, source.get(key) as Tensor] as const)
    const isAveraged = ([, from]: readonly [Tensor, Tensor]) => from.isTrainable && isFloat(from.dtype)
    this.#averaged = pairs.filter(isAveraged).map(([to]) => to)
    this.#followed = pairs.filter(isAveraged).map(([, from]) => from)
    this.#copied = pairs.filter((pair) => !isAveraged(pair))
  }

  /** Follows the network by one step. */
  update(decay: number): void {
    if (decay === 1) return
    lerpTensors(this.#averaged, this.#followed, 1 - decay)
    for (const [to, from] of this.#copied) assign(to, from)
  }
}
