// IR-SDE, shadows.
//
//   limpid train recipes/irsde/deshadow.ts --data SRD/train --set validate.images.root=SRD/test
//
// Data: SRD (2680 pairs, 408 to test), in folders LQ and GT. Hardware: about 3 days on an A100; figures not stated.
// NOTE: the official settings train with 10 and test with 30, and with two sizes of the network; these are those of training.

import { defineRecipe } from 'limpid/train'
import { pairedRecipe } from './shared.ts'

export const recipe = defineRecipe({
  ...pairedRecipe({
    title: 'IR-SDE, shadow removal',
    task: 'universal',
    maxSigma: 10,
    train: 'data/SRD/train',
    test: 'data/SRD/test',
  }),
  name: 'irsde-deshadow',
})
