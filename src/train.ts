// limpid/train: tensors on libtorch, autograd and the building blocks of recipes. Requires `limpid setup` once.

export { loadAddon as libtorch } from '../native/load.ts'
export { readCheckpoint, writeSafetensors } from './checkpoints/files.ts'
export { float32Data, type TensorData } from './core/data.ts'
export { RestoreError } from './core/errors.ts'
export { l1Loss, pixelUnshuffle } from './core/functional.ts'
export { hostTensor } from './core/hostBackend.ts'
export { counterRandom, type Random } from './core/random.ts'
export { rearrange } from './core/rearrange.ts'
export { cat, Tensor } from './core/tensor.ts'
export { clipImage } from './data/clip/clipImage.ts'
export { clipTokenizer } from './data/clip/vocabulary.ts'
export type { Image, Pixels } from './data/image.ts'
export { cutPatch, drawPlace, type Place, scalePlace } from './data/patches.ts'
export { openSource, type SourceSpec, specOf, subset } from './data/sources/datasets.ts'
export { findPairs, pairSources } from './data/sources/pairs.ts'
export { blur } from './degrade/blur.ts'
export { camera } from './degrade/camera.ts'
export { chain, maybe, oneOf, shuffled } from './degrade/chain.ts'
export type { Degrade } from './degrade/defineDegradation.ts'
export { haze } from './degrade/haze.ts'
export { holes } from './degrade/holes.ts'
export { jpeg, jpegBlocks } from './degrade/jpeg.ts'
export { lowLight, shadow } from './degrade/lowLight.ts'
export { noise, poisson, saltAndPepper, speckle } from './degrade/noise.ts'
export type { DrawPicture } from './degrade/pictures/definePicture.ts'
export { type PictureName, pictures } from './degrade/pictures/pictureTable.ts'
export { rain, snow } from './degrade/rainAndSnow.ts'
export { raindrops } from './degrade/raindrops.ts'
export { resize, resizeTo } from './degrade/resize.ts'
export { srmd } from './degrade/srmd.ts'
export { wild } from './degrade/wild.ts'
export { createSde, denoisingSde, matchingLoss, restoringSde, type SdeOptions } from './diffusion/irsde.ts'
export { sample, seededNoise } from './diffusion/samplers.ts'
export { type ClipOptions, clipDefaults } from './models/clip/clip.ts'
export {
  ConditionalNafnet,
  type ConditionalNafnetOptions,
  conditionalNafnetDefaults,
} from './models/conditionalNafnet/conditionalNafnet.ts'
export {
  ConditionalUnet,
  type ConditionalUnetOptions,
  conditionalUnetDefaults,
  universalUnet,
  wildUnet,
} from './models/conditionalUnet/conditionalUnet.ts'
export { DaClip, daClipLosses, type Embeddings, startController } from './models/daclip/daclip.ts'
export { degradationWords, maxLogitScale } from './models/daclip/words.ts'
export { contrastiveLoss, Dasr, type DasrOptions, dasrDefaults } from './models/dasr/dasr.ts'
export { Ipt, type IptOptions, iptDefaults } from './models/ipt/ipt.ts'
export { LatentUnet, type LatentUnetOptions, latentUnetDefaults } from './models/latentUnet/latentUnet.ts'
export { Light, type LightOptions, lightDefaults } from './models/light/light.ts'
export {
  LightDiffusion,
  type LightDiffusionOptions,
  lightDiffusionDefaults,
} from './models/lightDiffusion/lightDiffusion.ts'
export { Restormer, type RestormerOptions, restormerDefaults } from './models/restormer/restormer.ts'
export type { UnetInputs } from './models/unetInputs.ts'
export { emptyInit, type Init, randomInit } from './nn/init.ts'
export { loadWeights, parameterCount, parameters, stateDict } from './nn/module.ts'
export { type LoadedModel, loadModel } from './registry/loadModel.ts'
export {
  autocast,
  backward,
  type Device,
  grad,
  moveToTorch,
  noGrad,
  scalar,
  scope,
  toTorch,
} from './torch/backend.ts'
export { fourier2d } from './torch/fft.ts'
export {
  type AdamOptions,
  type AdamWOptions,
  adam,
  adamW,
  assign,
  clipEachGradNorm,
  clipGradNorm,
  type LionOptions,
  lerpTensors,
  lion,
  type Optimizer,
  type SgdOptions,
  sgd,
} from './torch/optim.ts'
export { RandomGenerator } from './torch/rng.ts'
export { iptContrast, sampleTokens, supervisedContrast } from './train/networks/contrastiveLosses.ts'
export {
  DetectorDaClip,
  degradeByKind,
  detectorLosses,
  detectorSamples,
  tenKinds,
  tenKindsPaired,
} from './train/networks/daClipKinds.ts'
export {
  captioned,
  captionedImages,
  clampingLogitScale,
  clipDecays,
  controllerLosses,
  fromClip,
  guideEmbeddings,
  guideEmbeddingsOfImage,
  openGuide,
  withClip,
} from './train/networks/daclip.ts'
export {
  type BlindDegradation,
  blurredView,
  dasrLosses,
  dasrWithDctFilters,
  isContrastOnly,
  rankedDasrLosses,
  twoViews,
  withContrastWeights,
} from './train/networks/dasr.ts'
export {
  type IptTask,
  inWindows,
  iptLosses,
  iptPretraining,
  oneTaskPerBatch,
  tasksFrom,
} from './train/networks/ipt.ts'
export {
  latentLosses,
  latentsOf,
  lowResolution,
  openCompressor,
  restoreBySampling,
  restoreInLatents,
  sdeLoss,
  targetOnly,
} from './train/networks/irsde.ts'
export { contrastStep, startContrast } from './train/networks/momentumContrast.ts'
export { type EmaDecay, emaDecay, emaPytorch } from './train/optimization/ema.ts'
export { charbonnierLoss, frequencyLoss, mseLoss, psnrLoss } from './train/optimization/losses.ts'
export {
  constant,
  cosine,
  cosineRestarts,
  type Schedule,
  sequence,
  steps,
  warmup,
} from './train/optimization/schedules.ts'
export { addGradients, type TrainStep, trainStep } from './train/optimization/step.ts'
export {
  defineRecipe,
  type LossContext,
  type Recipe,
  type Validation,
} from './train/recipe/recipe.ts'
export { folder, type Images, pairFolders } from './train/samples/images.ts'
export { balancedKinds } from './train/samples/kindFolders.ts'
export {
  type Batch,
  croppedTo,
  cropViews,
  type Draw,
  degraded,
  type Phase,
  paired,
  type TrainingSample,
} from './train/samples/samples.ts'
export {
  type DegradedTruthOptions,
  degradedTruth,
  pictureWeights,
  recolored,
  type TruthOptions,
  truth,
} from './train/samples/truth.ts'
export { type TrainOptions, type TrainResult, train } from './train/train.ts'
export type { OnTrainingProgress, TrainingProgress } from './train/trainingProgress.ts'
