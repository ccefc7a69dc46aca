// Inputs shared by the networks of diffusion models.

import type { Tensor } from '../core/tensor.ts'
import { input, type NamedTensors } from './networkDescriptor.ts'

/** Inputs of one sampling step. */
export interface UnetInputs {
  /** x_t [b c h w]. */
  readonly state: Tensor
  /** Image to restore [b c h w]; undefined for the denoising SDE. */
  readonly degraded?: Tensor | undefined
  /** Time of the SDE [b], or [1] for all images. */
  readonly time: Tensor
}

/** Picks the inputs of a step from named tensors. @throws RestoreError 'usage' if state or time is missing */
export function unetInputs(inputs: NamedTensors): UnetInputs {
  return { state: input(inputs, 'state'), degraded: inputs.degraded, time: input(inputs, 'time') }
}
