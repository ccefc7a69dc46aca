// Degradations: every one as a function, and how they are combined; synthetic pictures to degrade.

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
export * from '../degrade/degradationTable.ts'
export { inLinearLight, type LinearLightOptions } from '../degrade/linearLight.ts'
export type { DrawPicture, Picture } from '../degrade/pictures/definePicture.ts'
export { type PictureName, pictures } from '../degrade/pictures/pictureTable.ts'
export { type ResizeOptions, type Rounding, resizeTo, type Size } from '../degrade/resize.ts'
