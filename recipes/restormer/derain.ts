// Restormer, deraining (Rain13K).
//
//   limpid train recipes/restormer/derain.ts --data DIR --set validate.images.root=DIR
//
// Data: Rain13K unchanged, 13,712 pairs in input/ and target/.
// Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 1 (Y channel, 8 bits): Test100 32.00, Rain100H 31.46, Rain100L 38.99, Test2800 34.18,
// Test1200 33.19 dB.

import { defineRecipe, paired, pairFolders } from 'limpid/train'
import { frame, license, loss, network, phases, restore, training } from './shared.ts'

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-derain',
  card: { title: 'Restormer, deraining (Rain13K)', task: 'derain', license },
  network: network({}),
  data: {
    images: pairFolders('data/Rain13K', { input: 'input', target: 'target' }),
    phases,
    frame,
    sample: paired(),
  },
  loss,
  validate: {
    every: 4000,
    images: pairFolders('data/Rain100L', { input: 'input', target: 'target' }),
    restore,
    metrics: ['psnr-y'],
  },
})
