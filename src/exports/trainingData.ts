// Images of a training and the samples that are made of them.

export { type Image, in8Bits, type Pixels } from '../data/image.ts'
export { cutPatch, type Dihedral, drawPlace, type Place, scalePlace } from '../data/patches.ts'
export { type ImageSource, openSource, type SourceSpec, specOf, subset } from '../data/sources/datasets.ts'
export {
  type FoundPair,
  findPairs,
  type Match,
  type PairOptions,
  pairSources,
} from '../data/sources/pairs.ts'
export { folder, type Images, pairFolders } from '../train/samples/images.ts'
export { balancedKinds } from '../train/samples/kindFolders.ts'
export {
  type Batch,
  croppedTo,
  cropViews,
  type Draw,
  degraded,
  type Echo,
  type Mixup,
  type Phase,
  paired,
  type SampleValue,
  type TrainingSample,
} from '../train/samples/samples.ts'
export {
  type DegradedTruthOptions,
  degradedTruth,
  pictureWeights,
  recolored,
  type TruthOptions,
  truth,
} from '../train/samples/truth.ts'
