// Losses, samples and starting weights of the published recipes: DA-CLIP, DASR, IPT, IR-SDE and Refusion.

export { type ClipSize, clipImage } from '../data/clip/clipImage.ts'
export type { Tokenizer, TokenOptions, Tokens } from '../data/clip/tokenizer.ts'
export { clipTokenizer } from '../data/clip/vocabulary.ts'
export type { ToneParts } from '../data/tone/toneMaps.ts'
export { iptContrast, sampleTokens, supervisedContrast } from '../train/networks/contrastiveLosses.ts'
export {
  DetectorDaClip,
  type DetectorSample,
  degradeByKind,
  detectorLosses,
  detectorSamples,
  tenKinds,
  tenKindsPaired,
} from '../train/networks/daClipKinds.ts'
export {
  type CaptionedSample,
  type ControllerConstants,
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
} from '../train/networks/daclip.ts'
export {
  type BlindDegradation,
  type BlurredView,
  blurredView,
  type DasrConstants,
  dasrLosses,
  dasrWithDctFilters,
  isContrastOnly,
  rankedDasrLosses,
  type TwoViews,
  twoViews,
  withContrastWeights,
} from '../train/networks/dasr.ts'
export { inspectLosses } from '../train/networks/inspect/losses.ts'
export { type InspectSample, type InspectSamples, inspectSample } from '../train/networks/inspect/samples.ts'
export {
  type IptConstants,
  type IptSample,
  type IptTask,
  inWindows,
  iptLosses,
  iptPretraining,
  oneTaskPerBatch,
  tasksFrom,
} from '../train/networks/ipt.ts'
export {
  latentLosses,
  latentsOf,
  lowResolution,
  openCompressor,
  type Predict,
  restoreBySampling,
  restoreInLatents,
  type SamplingOptions,
  type SdePair,
  sdeLoss,
  targetOnly,
} from '../train/networks/irsde.ts'
export { contrastStep, type MocoOptions, startContrast } from '../train/networks/momentumContrast.ts'
export { toneLosses } from '../train/networks/tone/losses.ts'
export { restoreTone } from '../train/networks/tone/restore.ts'
export { type ToneSample, toneSample } from '../train/networks/tone/samples.ts'
