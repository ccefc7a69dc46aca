// DA-CLIP in the wild: for photos from the web, degraded by a random chain of blur, resizing, noise and JPEG.
//
//   limpid train recipes/daclip/wild.ts --data LSDIR --set validate.images.root=DIV2K_valid_HR \
//     --set constants.guide=wild-daclip_ViT-L-14.pt
//
// Paper: arXiv:2404.09732.
// Data: LSDIR (84,991); a tenth of the crops is gray.
// Hardware: one A100, hours not stated.
// Expected: no published figures.

import {
  conditionalUnetDefaults,
  type Degrade,
  type Draw,
  defineRecipe,
  degraded,
  folder,
  type Image,
  restoringSde,
  wild,
  wildUnet,
  withClip,
} from 'limpid/train'
import { guided, network, training } from './shared.ts'

const { card, loss, restore } = guided(restoringSde)
const total = 500_000
const degrade: Degrade = wild()

function gray(image: Image): Image {
  const n = image.width * image.height
  const luma = Float32Array.from({ length: n }, (_, i) => {
    const [r = 0, g = 0, b = 0] = [image.data[i], image.data[n + i], image.data[2 * n + i]]
    return 0.299 * r + 0.587 * g + 0.114 * b
  })
  const data = new Float32Array(3 * n)
  for (let c = 0; c < 3; c++) data.set(luma, c * n)
  return { ...image, data }
}

/** Pairs, a tenth of them in gray. */
function sample(draw: Draw): { input: Image; target: Image } {
  if (draw.random.fork(3).uniform() >= 0.1) return degraded(degrade)(draw)
  const { target } = degraded((image) => image)(draw)
  const clean = gray(target)
  return { input: degrade(clean, draw.random.fork(1)), target: clean }
}

export const recipe = defineRecipe({
  ...training(total),
  name: 'daclip-wild',
  card: card('DA-CLIP in the wild'),
  loss,
  network: network({ ...conditionalUnetDefaults, ...wildUnet }),
  data: {
    images: folder('data/LSDIR'),
    phases: [{ steps: total, crop: 256, batch: 16 }],
    sample: withClip(sample, [224, 224]),
  },
  constants: { guide: 'weights/wild-daclip_ViT-L-14.pt' },
  validate: {
    every: 20_000,
    images: folder('data/DIV2K_valid_HR'),
    degrade,
    crop: 256,
    restore,
    metrics: ['psnr'],
  },
})
