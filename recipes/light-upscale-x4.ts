// light-upscale-x4: enlarges photos four times, with the samples of light-upscale-x2, from whose weights it starts.
//
// In a checkout of the repository, where scripts/ makes the weights to start from:
//
//   npx tsx scripts/upscaleStart.ts weights/light-upscale-x2.safetensors start.safetensors
//   limpid train recipes/light-upscale-x4.ts --data PHOTOS --set network.weights=start.safetensors \
//     --set validate.images.root=Set5 --out runs/light-upscale-x4
//
// 234 free photos of 1 to 2.5 megapixels. A step takes 0.6 s on one CPU core; the weights in the package are from this recipe.

import { upscaleRecipe } from './light-upscale-shared.ts'

export const recipe = upscaleRecipe({ scale: 4, steps: 3_800, rate: 1.5e-3, blurSigma: [0.4, 3] })
