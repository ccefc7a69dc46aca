// Shared by all Restormer trainings (swz30/Restormer@df766d5, one yml for each task): 300,000 steps on crops
// that grow while batches shrink. The paper trains on 8 GPUs, each with the batches below; here `accumulate`
// computes their gradients one after another, which gives the same steps. With fewer batches per step (`--set
// accumulate=1`) the author recommends more steps.

import {
  adamW,
  cosineRestarts,
  type Image,
  type LossContext,
  l1Loss,
  type Phase,
  Restormer,
  type RestormerOptions,
  restormerDefaults,
  type Tensor,
} from 'limpid/train'

/**
 * Progressive learning: crops are taken within random squares of `frame` pixels, at one offset for the whole
 * batch.
 */
export const frame = 384
export const phases: readonly Phase[] = [
  { steps: 92_000, crop: 128, batch: 8 },
  { steps: 64_000, crop: 160, batch: 5 },
  { steps: 48_000, crop: 192, batch: 4 },
  { steps: 36_000, crop: 256, batch: 2 },
  { steps: 36_000, crop: 320, batch: 1 },
  { steps: 24_000, crop: 384, batch: 1 },
]

/** Denoising applies mixup to half of the batches. */
export const mixup = { alpha: 1.2, probability: 0.5 }

export const training = {
  optimizer: (parameters: ReadonlyMap<string, Tensor>) => adamW(parameters, { weightDecay: 1e-4 }),
  learningRate: cosineRestarts(3e-4, [
    { steps: 92_000, to: 3e-4 },
    { steps: 208_000, to: 1e-6 },
  ]),
  accumulate: 8,
  maxGradNorm: 0.01,
  steps: 300_000,
  seed: 100,
  saveEvery: 4000,
  logEvery: 1000,
}

export function network(options: Partial<RestormerOptions>) {
  return {
    model: 'restormer',
    options: { ...restormerDefaults, ...options },
    create: (init: ConstructorParameters<typeof Restormer>[0], all: RestormerOptions) =>
      new Restormer(init, all),
    multipleOf: 8,
  }
}

export function loss({ model, batch }: LossContext<Restormer, { input: Image; target: Image }>): Tensor {
  return l1Loss(model.forward(batch.input), batch.target)
}

export const restore = (model: Restormer, input: Tensor): Tensor => model.forward(input)

export const license = 'academic'
