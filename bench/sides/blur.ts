// Our side of blur: seconds for correlation of 3 × 512 × 512 values with 21 × 21 taps, mirrored at the edges.
// usage: blur THREADS aniso|iso OUTPUT

import { writeFileSync } from 'node:fs'
import { blurImage } from '../../src/degrade/blur.ts'
import { anisotropicGaussian, covarianceOf, isotropicGaussian } from '../../src/degrade/numerics/kernels.ts'
import { medianSeconds, report, wave } from '../measure.ts'

const [, , , shape, output] = process.argv
const channels = 3
const height = 512
const width = 512
const image = { channels, height, width, data: wave(channels * height * width, 0.37) }
const kernel =
  shape === 'iso' ? isotropicGaussian(21, 2.6) : anisotropicGaussian(21, covarianceOf(1.2, 3.1, Math.PI / 4))
const value = await medianSeconds(() => blurImage(image, kernel), { warmups: 3, runs: 15 })
if (output !== undefined) writeFileSync(output, blurImage(image, kernel).data)
report({ value })
