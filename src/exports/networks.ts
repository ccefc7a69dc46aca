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
  type MatchingOptions,
  matchingLoss,
  matchingWeight,
  restoringSde,
  type Sde,
  type SdeOptions,
} from '../diffusion/irsde.ts'
export { type Noise, type Planes, type SampleOptions, sample, seededNoise } from '../diffusion/samplers.ts'
export type { AtomicWriteOptions } from '../files/atomicWrite.ts'
export { Atd, type AtdOptions, atdDefaults } from '../models/atd/atd.ts'
export { type ClipOptions, clipDefaults } from '../models/clip/clip.ts'
export { Compact, type CompactOptions, compactDefaults } from '../models/compact/compact.ts'
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
export { type DamageId, damageIds, damages, type NoiseForm, noiseForms } from '../models/damages.ts'
export { contrastiveLoss, Dasr, type DasrOptions, dasrDefaults } from '../models/dasr/dasr.ts'
export { Dat, type DatOptions, datDefaults } from '../models/dat/dat.ts'
export { Dncnn, type DncnnOptions, dncnnDefaults } from '../models/dncnn/dncnn.ts'
export { Drct, type DrctOptions, drctDefaults } from '../models/drct/drct.ts'
export { Drunet, type DrunetOptions, drunetDefaults } from '../models/drunet/drunet.ts'
export { Esrgan, type EsrganOptions, esrganDefaults } from '../models/esrgan/esrgan.ts'
export { Fbcnn, type FbcnnOptions, fbcnnDefaults } from '../models/fbcnn/fbcnn.ts'
export { Hat, type HatOptions, hatDefaults } from '../models/hat/hat.ts'
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
  type InspectInputs,
  type InspectOutputs,
  LightInspect,
  type LightInspectOptions,
  lightInspectDefaults,
} from '../models/lightInspect/lightInspect.ts'
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
export {
  MixDehazeNet,
  type MixDehazeNetOptions,
  mixDehazeNetDefaults,
} from '../models/mixDehazeNet/mixDehazeNet.ts'
export { Mosr, type MosrOptions, mosrDefaults } from '../models/mosr/mosr.ts'
export { Nafnet, type NafnetOptions, nafnetDefaults } from '../models/nafnet/nafnet.ts'
export type {
  Guidance,
  InputSize,
  Memory,
  NamedTensors,
  NetworkDescription,
  NumberOrAuto,
  OncePerPhoto,
  RequiredGuide,
  Role,
  Sides,
  Tap,
  Tiling,
} from '../models/networkDescriptor.ts'
export { Omnisr, type OmnisrOptions, omnisrDefaults } from '../models/omnisr/omnisr.ts'
export { Plksr, type PlksrOptions, plksrDefaults } from '../models/plksr/plksr.ts'
export { RealPlksr, type RealPlksrOptions, realPlksrDefaults } from '../models/realPlksr/realPlksr.ts'
export { Restormer, type RestormerOptions, restormerDefaults } from '../models/restormer/restormer.ts'
export {
  Retinexformer,
  type RetinexformerOptions,
  retinexformerDefaults,
} from '../models/retinexformer/retinexformer.ts'
export { Rgt, type RgtOptions, rgtDefaults } from '../models/rgt/rgt.ts'
export { Safmn, type SafmnOptions, safmnDefaults } from '../models/safmn/safmn.ts'
export { Scunet, type ScunetOptions, scunetDefaults } from '../models/scunet/scunet.ts'
export { Span, type SpanOptions, spanDefaults } from '../models/span/span.ts'
export { Srformer, type SrformerOptions, srformerDefaults } from '../models/srformer/srformer.ts'
export { Swinir, type SwinirOptions, swinirDefaults } from '../models/swinir/swinir.ts'
export type { UnetInputs } from '../models/unetInputs.ts'
export { type Distribution, emptyInit, type Init, randomInit } from '../nn/init.ts'
export type { Downsampling, KairUnetOptions, Upsampling } from '../nn/kairBlocks.ts'
export { loadWeights, parameterCount, parameters, stateDict, type WeightSource } from '../nn/module.ts'
export type { WindowSize } from '../nn/windows.ts'
export { type LoadedModel, loadModel } from '../registry/loadModel.ts'
