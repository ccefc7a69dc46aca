// Every degradation by its name in a chain.

import { blur } from './blur.ts'
import { camera } from './camera.ts'
import { defineDegradation, type NamedDegradation } from './degradation.ts'
import { jpeg, jpegBlocks } from './jpeg.ts'
import { noise, poisson, saltAndPepper, speckle } from './noise.ts'
import { resize } from './resize.ts'
import { srmd } from './srmd.ts'

export const degradations = {
  blur,
  resize,
  noise,
  poisson,
  speckle,
  'salt-and-pepper': saltAndPepper,
  'camera-noise': camera,
  srmd,
  jpeg: defineDegradation(jpeg),
  'jpeg-blocks': defineDegradation(jpegBlocks),
} as const satisfies Readonly<Record<string, NamedDegradation>>
