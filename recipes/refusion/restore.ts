// Refusion: IR-SDE with a NAFNet, for any set of pairs; here for heavy rain.
//
//   limpid train recipes/refusion/restore.ts --data Rain100H/train --set validate.images.root=Rain100H/test
//
// Data: pairs in folders LQ and GT, paired in the order of their file names.
// Hardware: one A100, days not stated. Figures were published only for the NTIRE 2023 challenges. For
// denoising and stereo the authors used a learning rate of 3e-5.

import {
  ConditionalNafnet,
  conditionalNafnetDefaults,
  createSde,
  defineRecipe,
  paired,
  pairFolders,
  restoreBySampling,
  sdeLoss,
} from 'limpid/train'
import { sdeOptions, training } from './shared.ts'

const total = 700_000
const sde = createSde(sdeOptions)
const sampling = { sde: sdeOptions, sampler: 'posterior' } as const
const pairs = (root: string) => pairFolders(root, { input: 'LQ', target: 'GT' }, { match: 'order' })

export const recipe = defineRecipe({
  ...training(4e-5, total),
  name: 'refusion',
  card: { title: 'Refusion', task: 'derain', license: 'mit', sampling: JSON.stringify(sampling) },
  network: {
    model: 'conditional-nafnet',
    options: conditionalNafnetDefaults,
    create: (init, options) => new ConditionalNafnet(init, options),
  },
  data: {
    images: pairs('data/Rain100H/train'),
    phases: [{ steps: total, crop: 128, batch: 4 }],
    sample: paired(),
  },
  loss: ({ model, batch, ...rest }) =>
    sdeLoss(sde, { clean: batch.target, degraded: batch.input }, rest, (inputs) => model.forward(inputs)),
  validate: {
    every: 20_000,
    images: pairs('data/Rain100H/test'),
    crop: 256,
    restore: (model, input) => restoreBySampling(sde, input, sampling, (inputs) => model.forward(inputs)),
    metrics: ['psnr'],
  },
})
