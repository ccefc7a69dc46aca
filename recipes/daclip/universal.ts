// DA-CLIP's universal restoration: one network for ten kinds of degradation, sampled equally often however
// many images each has.
//
//   limpid train recipes/daclip/universal.ts --data universal/train \
//     --set validate.images.root=universal/val \
//     --set constants.guide=daclip_ViT-B-32.pt
//
// Data: folders <kind>/LQ and <kind>/GT for motion-blurry (GoPro), hazy (RESIDE-6k), jpeg-compressed and
// noisy (DIV2K and Flickr2K), low-light (LOL), raindrop, rainy (Rain100H), shadowed (SRD), snowy (Snow100K),
// uncompleted (CelebA-HQ); sides of 256 pixels or more.
// Hardware: one A100, hours not stated.
// Expected, paper: mean of the ten sets 27.01 dB, SSIM 0.794, LPIPS 0.127, FID 34.89.

import {
  balancedKinds,
  conditionalUnetDefaults,
  defineRecipe,
  degradationWords,
  paired,
  pairFolders,
  restoringSde,
  universalUnet,
  withClip,
} from 'limpid/train'
import { guided, network, training } from './shared.ts'

const { card, loss, restore } = guided(restoringSde)
const total = 700_000
const pairs = (root: string) => pairFolders(root, { input: '*/LQ', target: '*/GT' }, { match: 'order' })

export const recipe = defineRecipe({
  ...training(total),
  name: 'daclip-universal',
  card: card('DA-CLIP, ten degradations'),
  loss,
  network: network({ ...conditionalUnetDefaults, ...universalUnet }),
  data: {
    images: pairs('data/universal/train'),
    phases: [{ steps: total, crop: 256, batch: 16 }],
    sample: withClip(paired(), [224, 224]),
    order: balancedKinds(degradationWords),
  },
  constants: { guide: 'weights/daclip_ViT-B-32.pt' },
  validate: {
    every: 20_000,
    images: pairs('data/universal/val'),
    crop: 256,
    restore,
    metrics: ['psnr'],
  },
})
