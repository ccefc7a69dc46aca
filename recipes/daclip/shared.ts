// Shared by recipes for networks guided by a DA-CLIP, light-universal included (arXiv:2310.01018 §4;
// Algolzw/daclip-uir@c2cc141 options/train.yml): they sample in IR-SDE, conditioned on the frozen DA-CLIP's
// embeddings of the degraded image.

import {
  adamW,
  ConditionalUnet,
  type ConditionalUnetOptions,
  cosine,
  createSde,
  type Device,
  type Embeddings,
  emaPytorch,
  guideEmbeddings,
  guideEmbeddingsOfImage,
  type Image,
  type Init,
  type LossContext,
  openGuide,
  restoreBySampling,
  type SdeOptions,
  sdeLoss,
  type Tensor,
  type TensorData,
  type UnetInputs,
} from 'limpid/train'

export interface GuideConstants extends Readonly<Record<string, string>> {
  /** File of the DA-CLIP. */
  readonly guide: string
}

type GuidedSample = { input: Image; target: Image; clip: TensorData }

/**
 * Network for states of an SDE. `condition` turns DA-CLIP's embeddings into its conditioning, once per image.
 */
export interface GuidedNetwork<C> {
  condition(embeddings: Embeddings): C
  forward(inputs: UnetInputs, conditioning: C): Tensor
}

/**
 * Card, loss and validation for an SDE. The card stores the SDE for sampling; `sampleSteps` applies to
 * sampling only, not to the loss.
 */
export function guided(options: SdeOptions) {
  const { sampleSteps: _, ...trained } = options
  const sde = createSde(trained)
  const sampledSde = createSde(options)
  const sampling = { sde: options, sampler: 'posterior' } as const
  return {
    card: (title: string) => ({
      title,
      task: 'universal',
      license: 'mit',
      sampling: JSON.stringify(sampling),
    }),
    loss: <C>({
      model,
      batch,
      constants,
      ...rest
    }: LossContext<GuidedNetwork<C>, GuidedSample, GuideConstants>) => {
      const conditioning = model.condition(guideEmbeddings(constants.guide, batch.clip))
      return sdeLoss(sde, { clean: batch.target, degraded: batch.input }, rest, (inputs) =>
        model.forward(inputs, conditioning),
      )
    },
    restore: <C>(model: GuidedNetwork<C>, input: Tensor, { guide }: GuideConstants) => {
      const conditioning = model.condition(guideEmbeddingsOfImage(guide, input))
      return restoreBySampling(sampledSde, input, sampling, (inputs) => model.forward(inputs, conditioning))
    },
  }
}

/** Opens the DA-CLIP before the first step, as `network.start`. */
export function startGuide(
  _: object,
  { constants, device }: { constants: GuideConstants; device: Device },
): void {
  openGuide(constants.guide, device)
}

export function network(options: ConditionalUnetOptions) {
  return {
    model: 'conditional-unet',
    options,
    create: (init: Init, all: ConditionalUnetOptions) => new ConditionalUnet(init, all),
    start: startGuide,
  }
}

/** The authors' training settings for a number of steps. */
export function training(total: number) {
  return {
    optimizer: (parameters: ReadonlyMap<string, Tensor>) =>
      adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
    learningRate: cosine(2e-4, 1e-6, total),
    ema: emaPytorch({ beta: 0.995 }),
    steps: total,
    seed: 0,
    saveEvery: 5000,
    logEvery: 100,
  }
}
