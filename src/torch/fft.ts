// The Fourier transform on libtorch, for training losses; ONNX graphs do not support it.

import type { Tensor } from '../core/tensor.ts'
import { fromHandle, handleOf } from './backend.ts'
import { operator } from './ops.ts'

const rfft2 = operator('fft_rfft2')
const viewAsReal = operator('view_as_real')

/**
 * Two-dimensional transform of real values, with real and imaginary parts last:
 * [b c h w] -> [b c h ⌊w/2⌋+1 2].
 */
export function fourier2d(x: Tensor): Tensor {
  return fromHandle(viewAsReal(rfft2(handleOf(x, 'fourier2d'))))
}
