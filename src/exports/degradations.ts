// Degradations: every one as a function, and how they are combined.

export { blur } from '../degrade/blur.ts'
export { camera } from '../degrade/camera.ts'
export { chain, maybe, oneOf, parseChain, shuffled } from '../degrade/chain.ts'
export type {
  Amount,
  CallableDegradation,
  ChoiceParameter,
  Degradation,
  Degrade,
  Drawn,
  NamedDegradation,
  NumberParameter,
  Parameter,
  Parameters,
  Settings,
} from '../degrade/defineDegradation.ts'
export { degradations } from '../degrade/degradationTable.ts'
export { haze } from '../degrade/haze.ts'
export { holes } from '../degrade/holes.ts'
export { jpeg, jpegBlocks } from '../degrade/jpeg.ts'
export { lowLight, shadow } from '../degrade/lowLight.ts'
export { noise, poisson, saltAndPepper, speckle } from '../degrade/noise.ts'
export { rain, snow } from '../degrade/rainAndSnow.ts'
export { raindrops } from '../degrade/raindrops.ts'
export { type ResizeOptions, type Rounding, resize, resizeTo, type Size } from '../degrade/resize.ts'
export { srmd } from '../degrade/srmd.ts'
export { wild } from '../degrade/wild.ts'
