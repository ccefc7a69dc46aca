// Random numbers on libtorch, from explicit generators with savable state; there is no global generator.

import type { Generator } from '../../native/addon.ts'
import { loadAddon as addon } from '../../native/load.ts'
import type { Tensor } from '../core/tensor.ts'
import { checkDevice, type Device, fromHandle } from './backend.ts'
import { operator } from './ops.ts'

const normal = operator('randn', 'generator')
const uniform = operator('rand', 'generator')

/** A generator of torch's streams: a seed produces the same numbers as `torch.manual_seed` on that device. */
export class RandomGenerator {
  readonly device: Device
  readonly #generator: Generator

  constructor(seed: number | bigint, device: Device = 'cpu') {
    checkDevice(device)
    this.device = device
    this.#generator = addon().createGenerator(device, BigInt(seed))
  }

  /** Standard normal. */
  randn(shape: readonly number[]): Tensor {
    return fromHandle(normal(shape, this.#generator, 'float32', null, this.device))
  }

  /** Uniform in [0, 1). */
  rand(shape: readonly number[]): Tensor {
    return fromHandle(uniform(shape, this.#generator, 'float32', null, this.device))
  }

  /** Returns the state, to be saved with a checkpoint. */
  save(): Uint8Array {
    return addon().generatorState(this.#generator)
  }

  restore(state: Uint8Array): void {
    addon().setGeneratorState(this.#generator, state)
  }
}
