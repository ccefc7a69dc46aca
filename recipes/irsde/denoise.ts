// Denoising SDE, for color Gaussian noise of any strength up to 70 (of 255).
//
//   limpid train recipes/irsde/denoise.ts --data DFWB --set validate.images.root=CBSD68
//
// Data: DIV2K (800), Flickr2K (2650), WaterlooED (4744) and BSD400 in one folder.
// Hardware: about 3 days on an A100.
// Expected: see the paper's McMaster, Kodak24 and CBSD68 at sigma 25. Sampling follows the ODE from the step
// whose noise level matches the image.

import {
  ConditionalUnet,
  conditionalUnetDefaults,
  createSde,
  defineRecipe,
  denoisingSde,
  folder,
  noise,
  restoreBySampling,
  sdeLoss,
  targetOnly,
} from 'limpid/train'
import { phases, training } from './shared.ts'

const sde = createSde(denoisingSde)
const sampling = JSON.stringify({ sde: denoisingSde, sampler: 'ode' })

export const recipe = defineRecipe({
  ...training,
  name: 'irsde-denoise',
  card: { title: 'Denoising SDE, color Gaussian noise', task: 'denoise', license: 'mit', sampling },
  network: {
    model: 'conditional-unet',
    options: { ...conditionalUnetDefaults, isConditional: false, middleAttention: 'full' },
    create: (init, options) => new ConditionalUnet(init, options),
  },
  data: {
    images: folder('data/DFWB'),
    phases: phases.map((phase) => ({ ...phase, batch: 8 })),
    sample: targetOnly(),
  },
  loss: ({ model, batch, ...rest }) =>
    sdeLoss(sde, { clean: batch.target }, rest, (inputs) => model.forward(inputs)),
  validate: {
    every: 20_000,
    images: folder('data/CBSD68'),
    degrade: noise({ sigma: 25 }),
    crop: 256,
    restore: (model, input) =>
      restoreBySampling(sde, input, { sampler: 'ode', noise255: 25 }, (inputs) => model.forward(inputs)),
    metrics: ['psnr'],
  },
})
