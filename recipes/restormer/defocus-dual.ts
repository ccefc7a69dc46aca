// Restormer, defocus deblurring of a dual-pixel pair (DPDD).
//
//   limpid train recipes/restormer/defocus-dual.ts --data DIR
//
// Data: DPDD in 16 bits as 512-pixel patches at a stride of 204 pixels, without the least sharp 30 % of each
// image, in inputL_crops/, inputR_crops/ and target_crops/.
// Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 3 (float): indoor 29.48, outdoor 23.97, combined 26.66 dB. Measure with `limpid eval`
// afterwards: validation during training supports only one input.

import { cropViews, defineRecipe, type Image, pairFolders } from 'limpid/train'
import { frame, license, loss, network, phases, training } from './shared.ts'

/** Stacks the channels of the left and the right view: [6 h w]. */
function stackViews({ left, right, target }: Readonly<Record<string, Image>>): {
  input: Image
  target: Image
} {
  if (!left || !right || !target) throw new Error('defocus-dual: expected views left, right and target')
  const data = new Float32Array(left.data.length + right.data.length)
  data.set(left.data)
  data.set(right.data, left.data.length)
  return { input: { ...left, channels: 6, data }, target }
}

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-defocus-dual',
  card: { title: 'Restormer, defocus deblurring of a dual-pixel pair', task: 'defocus-deblur', license },
  network: network({ channelsIn: 6, dualPixel: true }),
  data: {
    images: pairFolders('data/DPDD/train', {
      left: 'inputL_crops',
      right: 'inputR_crops',
      target: 'target_crops',
    }),
    phases,
    frame,
    sample: (draw) => stackViews(cropViews(draw)),
  },
  loss,
})
