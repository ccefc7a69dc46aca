// Networks, their weights and the diffusion that some of them are steps of.

export { readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
export { createSde, denoisingSde, matchingLoss, restoringSde, type SdeOptions } from '../diffusion/irsde.ts'
export { sample, seededNoise } from '../diffusion/samplers.ts'
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
export { DaClip, daClipLosses, type Embeddings, startController } from '../models/daclip/daclip.ts'
export { degradationWords, maxLogitScale } from '../models/daclip/words.ts'
export { contrastiveLoss, Dasr, type DasrOptions, dasrDefaults } from '../models/dasr/dasr.ts'
export { Ipt, type IptOptions, iptDefaults } from '../models/ipt/ipt.ts'
export { LatentUnet, type LatentUnetOptions, latentUnetDefaults } from '../models/latentUnet/latentUnet.ts'
export { Light, type LightOptions, lightDefaults } from '../models/light/light.ts'
export {
  LightDiffusion,
  type LightDiffusionOptions,
  lightDiffusionDefaults,
} from '../models/lightDiffusion/lightDiffusion.ts'
export { Restormer, type RestormerOptions, restormerDefaults } from '../models/restormer/restormer.ts'
export type { UnetInputs } from '../models/unetInputs.ts'
export { emptyInit, type Init, randomInit } from '../nn/init.ts'
export { loadWeights, parameterCount, parameters, stateDict } from '../nn/module.ts'
export { type LoadedModel, loadModel } from '../registry/loadModel.ts'
