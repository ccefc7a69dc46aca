// Losses, samples and starting weights of the published recipes: DA-CLIP, DASR, IPT, IR-SDE and Refusion.

export { clipImage } from '../data/clip/clipImage.ts'
export { clipTokenizer } from '../data/clip/vocabulary.ts'
export { iptContrast, sampleTokens, supervisedContrast } from '../train/networks/contrastiveLosses.ts'
export {
  DetectorDaClip,
  degradeByKind,
  detectorLosses,
  detectorSamples,
  tenKinds,
  tenKindsPaired,
} from '../train/networks/daClipKinds.ts'
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
} from '../train/networks/daclip.ts'
export {
  type BlindDegradation,
  blurredView,
  dasrLosses,
  dasrWithDctFilters,
  isContrastOnly,
  rankedDasrLosses,
  twoViews,
  withContrastWeights,
} from '../train/networks/dasr.ts'
export {
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
  restoreBySampling,
  restoreInLatents,
  sdeLoss,
  targetOnly,
} from '../train/networks/irsde.ts'
export { contrastStep, startContrast } from '../train/networks/momentumContrast.ts'
