// Shared by the published IR-SDE trainings (arXiv:2301.11699 §4.1; Algolzw/image-restoration-sde@2598d73
// options/*.yml).

import {
  adam,
  ConditionalUnet,
  conditionalUnetDefaults,
  createSde,
  emaPytorch,
  type Image,
  type LossContext,
  paired,
  pairFolders,
  restoreBySampling,
  restoringSde,
  sdeLoss,
  steps,
  type Tensor,
} from 'limpid/train'

const total = 700_000
export const phases = [{ steps: total, crop: 128, batch: 4 }]

export const training = {
  optimizer: (parameters: ReadonlyMap<string, Tensor>) => adam(parameters, { betas: [0.9, 0.99] }),
  learningRate: steps(1e-4, [200_000, 400_000, 600_000], 0.5),
  ema: emaPytorch({ beta: 0.995 }),
  steps: total,
  seed: 0,
  saveEvery: 5000,
  logEvery: 100,
} as const

export interface Facts {
  readonly title: string
  readonly task: string
  /** Deviation λ of the SDE in 0..255. */
  readonly maxSigma: number
}

/** Everything but the data. The card stores the SDE for sampling. */
export function restoring({ title, task, maxSigma }: Facts) {
  const options = { ...restoringSde, maxSigma }
  const sde = createSde(options)
  const sampling = { sde: options, sampler: 'posterior' } as const
  return {
    ...training,
    card: { title, task, license: 'mit', sampling: JSON.stringify(sampling) },
    network: {
      model: 'conditional-unet',
      options: conditionalUnetDefaults,
      create: (
        init: ConstructorParameters<typeof ConditionalUnet>[0],
        options: typeof conditionalUnetDefaults,
      ) => new ConditionalUnet(init, options),
    },
    loss: ({ model, batch, ...rest }: LossContext<ConditionalUnet, { input: Image; target: Image }>) =>
      sdeLoss(sde, { clean: batch.target, degraded: batch.input }, rest, (inputs) => model.forward(inputs)),
    restore: (model: ConditionalUnet, input: Tensor) =>
      restoreBySampling(sde, input, sampling, (inputs) => model.forward(inputs)),
  }
}

/** A published data set: folders LQ and GT, paired in the order of their file names. */
export function pairs(root: string) {
  return pairFolders(root, { input: 'LQ', target: 'GT' }, { match: 'order' })
}

/** A recipe on data sets of {@link pairs}. */
export function pairedRecipe(facts: Facts & { readonly train: string; readonly test: string }) {
  const { restore, ...common } = restoring(facts)
  return {
    ...common,
    data: { images: pairs(facts.train), phases, sample: paired() },
    validate: { every: 20_000, images: pairs(facts.test), crop: 256, restore, metrics: ['psnr'] as const },
  }
}
