// Losses as plain functions of output and target, both [b c h w]; each returns a scalar.

import type { Tensor } from '../../core/tensor.ts'
import { fourier2d } from '../../torch/fft.ts'

/** Mean squared difference. */
export function mseLoss(output: Tensor, target: Tensor): Tensor {
  const difference = output.sub(target)
  return difference.mul(difference).mean()
}

/** Charbonnier loss, a smooth absolute difference: mean √(d² + eps²) (eps as in MPRNet). */
export function charbonnierLoss(output: Tensor, target: Tensor, eps = 1e-3): Tensor {
  const difference = output.sub(target)
  return difference
    .mul(difference)
    .add(eps * eps)
    .sqrt()
    .mean()
}

/** Negative PSNR in dB for values in [0, 1]: the mean over images of 10 log10(mse + 1e-8) (HINet). */
export function psnrLoss(output: Tensor, target: Tensor): Tensor {
  const difference = output.sub(target)
  return difference
    .mul(difference)
    .mean([1, 2, 3])
    .add(1e-8)
    .log()
    .mean()
    .mul(10 / Math.LN10)
}

/** Mean absolute difference of the Fourier coefficients, real and imaginary parts separately (MIMO-UNet). */
export function frequencyLoss(output: Tensor, target: Tensor): Tensor {
  return fourier2d(output).sub(fourier2d(target)).abs().mean()
}
