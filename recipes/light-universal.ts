// light-universal: a small network in IR-SDE for ten kinds of damage, told by light-detect which it is.
//
//   limpid degrade PHOTOS -o photos-half --with resize:scale=0.5
//   limpid train recipes/light-universal.ts --data photos-half --set validate.images.root=CBSD68 \
//     --set constants.guide=runs/light-detect/weights.safetensors --out runs/light-universal
//
// 234 free photos of 1 to 2.5 megapixels, at half their size as for light-detect, damaged by Limpid itself; 2 CPU cores.
// 40 minutes on two cores after 1,340 steps by noise of 50 (weights/README.md): not good enough yet to be in the package.

import {
  adamW,
  conditionalUnetDefaults,
  cosine,
  damaged,
  defineRecipe,
  emaDecay,
  folder,
  partOf,
  restoringSde,
  tenKinds,
  tenKindsPaired,
  universalUnet,
  warmup,
  withClip,
} from 'limpid/train'
import { guided, network } from './daclip/shared.ts'

const steps = 2400
// Noise of 10 is told from the picture after few steps of training, where published networks have 50; damage changes pixels by some 40.
const { card, loss, restore } = guided({ ...restoringSde, maxSigma: 10, dataSigma: 40 })

export const recipe = defineRecipe({
  name: 'light-universal',
  card: { ...card('Light, ten degradations'), license: 'apache' },
  network: network({
    ...conditionalUnetDefaults,
    ...universalUnet,
    ...{ width: 24, contextWidth: 128, usesContent: false, halvesInput: true },
  }),
  data: {
    images: folder('data/photos'),
    // The guide sees squares as it learned from, the network restores a part of each.
    phases: [{ steps, crop: 224, batch: 5 }],
    sample: partOf(withClip(tenKindsPaired(), 224), 128),
  },
  constants: { guide: 'runs/light-detect/weights.safetensors' },
  loss,
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
  learningRate: warmup(200, cosine(1e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.995),
  steps,
  seed: 1,
  validate: {
    every: 1200,
    images: folder('data/few-photos'),
    degrade: (image, random) => damaged(image, random.integer(tenKinds.length), random),
    crop: 128,
    restore,
    metrics: ['psnr'],
  },
  saveEvery: 500,
  logEvery: 50,
})
