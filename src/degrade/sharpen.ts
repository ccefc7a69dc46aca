// Sharpening as cameras, phones and editors do it: halos at edges, amplified noise.

import { blurImage } from './blur.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { clamp01 } from './noise.ts'
import { isotropicGaussian } from './numerics/kernels.ts'

/** Unsharp mask: adds what a Gaussian blur removes; clipped. */
export const sharpen = defineDegradation({
  name: 'sharpen',
  summary: 'unsharp mask: halos at edges, amplified noise',
  source: 'value + amount · (value − blurred value)',
  parameters: {
    amount: { type: 'number', summary: 'strength', unit: '', minimum: 0, maximum: 10, default: [0.3, 1.5] },
    sigma: {
      type: 'number',
      summary: 'width of the Gaussian',
      unit: 'px',
      minimum: 0.1,
      maximum: 20,
      default: [0.5, 1.5],
    },
  } as const satisfies Parameters,
  apply: (image, { amount, sigma }) => {
    const kernel = isotropicGaussian(2 * Math.ceil(3 * sigma) + 1, sigma)
    const { data: blurred } = blurImage(image, kernel)
    const data = image.data.map((value, i) => clamp01(value + amount * (value - blurred[i]!)))
    return { ...image, data }
  },
})
