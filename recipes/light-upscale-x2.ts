// light-upscale-x2: doubles photos. Half of the samples are clean and were shrunk by the usual kernels. The other half are like small pictures of
// the web: slightly blurred before they were shrunk, or sharpened after, with weak noise and JPEG of middle to high quality.
//
//   limpid train recipes/light-upscale-x2.ts --data PHOTOS --set validate.images.root=Set5 \
//     --out runs/light-upscale-x2
//
// 234 free photos of 1 to 2.5 megapixels. A step takes 1.1 s on one CPU core. The weights in the package had two shorter runs: weights/README.md.

import { upscaleRecipe } from './light-upscale-shared.ts'

export const recipe = upscaleRecipe({ scale: 2, steps: 20_000, rate: 2e-3, blurSigma: [0.2, 1.5] })
