// IR-SDE, shadows.
//
//   limpid train recipes/irsde/deshadow.ts --data SRD/train --set validate.images.root=SRD/test
//
// Data: SRD (2680 pairs, 408 for testing), in folders LQ and GT.
// Hardware: about 3 days on an A100; figures not stated.
// NOTE: the official settings differ between training and testing, in the network size and in maxSigma (10
// and 30); this recipe uses those of training.

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
