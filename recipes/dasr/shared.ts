// Shared by the four published DASR trainings (arXiv:2104.00416 §4.1; SYSU-SAIL/DASR@51524af): 100 epochs of
// the encoder alone, then 500 of both networks.

import {
  adam,
  Dasr,
  type DasrOptions,
  dasrDefaults,
  dasrLosses,
  type Init,
  isContrastOnly,
  type Phase,
  sequence,
  startContrast,
  steps,
  type Tensor,
  withContrastWeights,
} from 'limpid/train'

// An epoch of the authors is 9 × 3450 images in batches of 32.
const epoch = 970
const encoderSteps = 100 * epoch
const total = 600 * epoch

export const phases: readonly Phase[] = [{ steps: total, crop: 48, batch: 32 }]

export function network(scale: number) {
  const options = { ...dasrDefaults, scale, queueSize: 8192 }
  return {
    model: 'dasr',
    options,
    create: (init: Init, all: DasrOptions) => new Dasr(init, all),
    // To start from a published file: --set network.weights=model_600.pt
    adapt: withContrastWeights,
    start: ({ E }: Dasr) => startContrast(E),
    published: { holds: (key: string) => !isContrastOnly(key), options: { ...options, queueSize: 0 } },
  }
}

export const training = {
  constants: { encoderSteps },
  loss: dasrLosses,
  optimizer: (parameters: ReadonlyMap<string, Tensor>) => adam(parameters),
  learningRate: sequence([
    [encoderSteps, steps(1e-3, [59 * epoch], 0.1)],
    [total - encoderSteps, steps(1e-4, [124 * epoch, 249 * epoch, 374 * epoch, 499 * epoch], 0.5)],
  ]),
  steps: total,
  seed: 1,
  saveEvery: epoch,
  logEvery: 100,
}

export const validation = {
  every: 10 * epoch,
  restore: (model: Dasr, input: Tensor): Tensor => model.restore(input, model.encode(input)),
  metrics: ['psnr-y-diff'],
} as const
