// All degradations by the name used in chains.

import { blur } from './blur.ts'
import { cameraNoise } from './camera.ts'
import type { NamedDegradation } from './defineDegradation.ts'
import { haze } from './haze.ts'
import { holes } from './holes.ts'
import { jpeg, jpegBlocks } from './jpeg.ts'
import { lowLight, shadow } from './lowLight.ts'
import { noise, poisson, saltAndPepper, speckle } from './noise.ts'
import { rain, snow } from './rainAndSnow.ts'
import { raindrops } from './raindrops.ts'
import { resize } from './resize.ts'
import { sharpen } from './sharpen.ts'
import { srmd } from './srmd.ts'
import { wild } from './wild.ts'

/** Every degradation by the name it has in a chain. */
export const degradations = {
  blur,
  resize,
  noise,
  poisson,
  speckle,
  'salt-and-pepper': saltAndPepper,
  'camera-noise': cameraNoise,
  srmd,
  sharpen,
  jpeg,
  'jpeg-blocks': jpegBlocks,
  rain,
  snow,
  raindrops,
  haze,
  'low-light': lowLight,
  shadow,
  holes,
  wild,
} as const satisfies Readonly<Record<string, NamedDegradation>>

// Recipes call them by name.
export {
  blur,
  cameraNoise,
  haze,
  holes,
  jpeg,
  jpegBlocks,
  lowLight,
  noise,
  poisson,
  rain,
  raindrops,
  resize,
  saltAndPepper,
  shadow,
  sharpen,
  snow,
  speckle,
  srmd,
  wild,
}
