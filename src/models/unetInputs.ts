// Inputs that networks of a diffusion have in common.

import type { Tensor } from '../core/tensor.ts'
import { input, type NamedTensors } from './networkDescriptor.ts'

/** Inputs of one step of sampling. */
export interface UnetInputs {
  /** x_t [b c h w]. */
  readonly state: Tensor
  /** Image to restore [b c h w]; none for the denoising SDE. */
  readonly degraded?: Tensor | undefined
  /** Time of the SDE [b], or [1] for all images. */
  readonly time: Tensor
}

/** The inputs of a step among named tensors. @throws RestoreError 'usage' where state or time is missing */
export function unetInputs(inputs: NamedTensors): UnetInputs {
  return { state: input(inputs, 'state'), degraded: inputs.degraded, time: input(inputs, 'time') }
}
