// NAFNet of width 32, motion deblurring (GoPro).
//
//   limpid train recipes/nafnet-deblur.ts --data DIR --set validate.images.root=DIR
//
// Chen et al., arXiv:2204.04676, §5.1; megvii-research/NAFNet@01a4c86 options/train/GoPro/NAFNet-width32.yml and the gradient clipping of
// basicsr/models/image_restoration_model.py.
// Data: the 2,103 training pairs of GoPro as 512-pixel patches that overlap by 256, in blur_crops/ and sharp_crops/.
// Hardware: 8 GPUs with 4 samples each; here `accumulate` computes their gradients one after another.
// Expected, by its readme, with windows of the training's size (--options '{"tlc":true}'): GoPro 32.87 dB.

import {
  adamW,
  cosine,
  defineRecipe,
  Nafnet,
  nafnetDefaults,
  paired,
  pairFolders,
  psnrLoss,
} from 'limpid/train'

const steps = 200_000

export const recipe = defineRecipe({
  name: 'nafnet-deblur',
  card: { title: 'NAFNet, motion deblurring (GoPro)', task: 'deblur', license: 'mit' },
  network: {
    model: 'nafnet',
    options: nafnetDefaults,
    create: (init, options) => new Nafnet(init, options),
  },
  data: {
    images: pairFolders('data/GoPro/train', { input: 'blur_crops', target: 'sharp_crops' }),
    phases: [{ steps, crop: 256, batch: 4 }],
    sample: paired(),
  },
  loss: ({ model, batch }) => psnrLoss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.9], weightDecay: 0 }),
  learningRate: cosine(1e-3, 1e-7, steps),
  accumulate: 8,
  maxGradNorm: 0.01,
  steps,
  seed: 10,
  validate: {
    every: 20_000,
    images: pairFolders('data/GoPro/val', { input: 'input', target: 'target' }),
    crop: 256,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr', 'ssim'],
  },
  saveEvery: 5000,
  logEvery: 200,
})
