// Networks, their weights and the diffusion that some of them are steps of.

export type { ByteSource, Checkpoint, StoredTensor } from '../checkpoints/checkpoint.ts'
export { readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
export type { OpenOptions } from '../checkpoints/open.ts'
export type { WritableTensor } from '../checkpoints/safetensors.ts'
export {
  createSde,
  denoisingSde,
  type Matching,
  type MatchingInputs,
  matchingLoss,
  restoringSde,
  type Sde,
  type SdeOptions,
} from '../diffusion/irsde.ts'
export { type Noise, type Planes, type SampleOptions, sample, seededNoise } from '../diffusion/samplers.ts'
export type { AtomicWriteOptions } from '../files/atomicWrite.ts'
export { type ClipOptions, clipDefaults } from '../models/clip/clip.ts'
export {
  ConditionalNafnet,
  type ConditionalNafnetOptions,
  conditionalNafnetDefaults,
} from '../models/conditionalNafnet/conditionalNafnet.ts'
export {
  ConditionalUnet,
  type ConditionalUnetOptions,
  conditionalUnetDefaults,
  universalUnet,
  wildUnet,
} from '../models/conditionalUnet/conditionalUnet.ts'
export {
  DaClip,
  type DaClipBatch,
  daClipLosses,
  type Embeddings,
  startController,
} from '../models/daclip/daclip.ts'
export { degradationWords, maxLogitScale } from '../models/daclip/words.ts'
export { contrastiveLoss, Dasr, type DasrOptions, dasrDefaults } from '../models/dasr/dasr.ts'
export { Ipt, type IptOptions, iptDefaults } from '../models/ipt/ipt.ts'
export {
  type Encoded,
  LatentUnet,
  type LatentUnetOptions,
  latentUnetDefaults,
} from '../models/latentUnet/latentUnet.ts'
export { Light, type LightOptions, lightDefaults } from '../models/light/light.ts'
export {
  LightDiffusion,
  type LightDiffusionOptions,
  lightDiffusionDefaults,
} from '../models/lightDiffusion/lightDiffusion.ts'
export {
  LightTone,
  type LightToneOptions,
  lightToneDefaults,
  type ToneInputs,
  type ToneJudgment,
  type ToneOutputs,
} from '../models/lightTone/lightTone.ts'
export {
  LightUpscale,
  type LightUpscaleOptions,
  lightUpscaleDefaults,
} from '../models/lightUpscale/lightUpscale.ts'
export type {
  Guidance,
  InputSize,
  Memory,
  NamedTensors,
  NetworkDescription,
  OncePerPhoto,
  RequiredGuide,
  Role,
  Tap,
  Tiling,
} from '../models/networkDescriptor.ts'
export { Restormer, type RestormerOptions, restormerDefaults } from '../models/restormer/restormer.ts'
export type { UnetInputs } from '../models/unetInputs.ts'
export { type Distribution, emptyInit, type Init, randomInit } from '../nn/init.ts'
export { loadWeights, parameterCount, parameters, stateDict, type WeightSource } from '../nn/module.ts'
export { type LoadedModel, loadModel } from '../registry/loadModel.ts'
