// Second training of light-universal: continues from the weights of the first at a lower learning rate. 2 CPU
// cores: about 1.2 s per step, an hour.
//
//   limpid train recipes/light-universal-on.ts --data photos-half --set validate.images.root=CBSD68 \
//     --out runs/light-universal-on
//
// Results: weights/README.md.

import { cosine, defineRecipe, warmup } from 'limpid/train'
import { recipe as first } from './light-universal.ts'

const steps = 2800

export const recipe = defineRecipe({
  ...first,
  name: 'light-universal-on',
  network: {
    ...first.network,
    weights: 'runs/light-universal/weights.safetensors',
    adapt: (checkpoint) => checkpoint,
  },
  data: { ...first.data, phases: first.data.phases.map((phase) => ({ ...phase, steps })) },
  learningRate: warmup(100, cosine(4e-4, 1e-6, steps)),
  steps,
})
