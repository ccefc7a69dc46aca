// The option of networks that are told how noisy a picture is.

import { RestoreError } from '../core/errors.ts'
import { constant } from '../core/hostBackend.ts'
import { cat, type Tensor } from '../core/tensor.ts'
import { auto, input, type NamedTensors, type NumberOrAuto, type Role } from './networkDescriptor.ts'

/** Noise that tensors, which are no photos, are taken to have: the default of the official code. */
const usualSigma = 15

/** A network that takes the noise level [1 1], of 255. */
interface Denoiser {
  forward(image: Tensor, sigma: Tensor): Tensor
}

interface DenoiserContext {
  readonly options: { readonly sigma: NumberOrAuto }
}

/** Calls of a network that is told the noise level: `forward` by its options, and `restore` by an input `sigma`. */
export const denoiserCalls = {
  forward: (network: Denoiser, inputs: NamedTensors, { options: { sigma } }: DenoiserContext) => {
    const told = constant(Float32Array.of(sigma === auto ? usualSigma : sigma), [1, 1])
    return { y: network.forward(input(inputs, 'x'), told) }
  },
  parts: {
    restore: (network: Denoiser, inputs: NamedTensors) => ({
      y: network.forward(input(inputs, 'x'), input(inputs, 'sigma')),
    }),
  },
}

/** Appends a map of the noise level, [1 1] of 255: [b c h w] -> [b c+1 h w]. */
export function withNoiseMap(image: Tensor, sigma: Tensor): Tensor {
  // A map of the picture's own size, which a graph may learn at run time only.
  const map = image
    .slice(1, 0, 1)
    .mul(0)
    .add(sigma)
    .mul(1 / 255)
  return cat([image, map], 1)
}

/** Role of a network with the part `restore`, x [b c h w] and sigma [1 1] -> y. */
export function denoiserRole(sigma: NumberOrAuto): Role {
  return sigma === auto
    ? { kind: 'restores', oncePerPhoto: { encode: 'noise level', output: 'sigma', restore: 'restore' } }
    : { kind: 'restores' }
}

/** @throws RestoreError 'usage' for a noise level out of range */
export function checkSigma(sigma: NumberOrAuto): void {
  if (sigma === auto || (sigma >= 0 && sigma <= 255)) return
  throw new RestoreError('usage', `options: expected sigma in 0..255 or "${auto}", got ${sigma}`)
}
