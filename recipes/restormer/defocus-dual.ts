// Restormer, defocus deblurring of a dual-pixel pair (DPDD).
//
//   limpid train recipes/restormer/defocus-dual.ts --data DIR
//
// Data: DPDD in 16 bits as 512-pixel patches every 204 pixels, without the 30 % least sharp of each picture, in inputL_crops/,
// inputR_crops/ and target_crops/. Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 3 (float): indoor 29.48, outdoor 23.97, combined 26.66 dB, by `limpid eval` afterwards: validation while
// training takes one input only.

import { cropViews, defineRecipe, type Image, pairFolders } from 'limpid/train'
import { frame, license, loss, network, phases, training } from './shared.ts'

/** The left view's channels, then the right one's: [6 h w]. */
function sidesByChannels({ left, right, target }: Readonly<Record<string, Image>>): {
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
    sample: (draw) => sidesByChannels(cropViews(draw)),
  },
  loss,
})
