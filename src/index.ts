/**
 * Restoration in Node.js: restorers and detectors, degradations and metrics, checkpoints and networks.
 *
 * @module limpid
 *
 * @example
 * ```ts
 * import { createRestorer } from 'limpid'
 *
 * await using restorer = await createRestorer({ model: 'light-photo' })
 * const result = await restorer.run('photo.jpg')
 * await result.toFile('clean.png')
 * ```
 */

export type { DamageFinding, Finder } from './auto/plan/findings.ts'
export type { OverrideRequest } from './auto/plan/overrides.ts'
export type { Plan, PlannedStep, Untreated } from './auto/plan/plan.ts'
export type { RefusedStep, RepairedStep, RepairInfo } from './auto/repairInfo.ts'
export type { ByteSource, Checkpoint, StoredTensor } from './checkpoints/checkpoint.ts'
export { readCheckpoint, writeSafetensors } from './checkpoints/files.ts'
export type { OpenOptions } from './checkpoints/open.ts'
export type { WritableTensor } from './checkpoints/safetensors.ts'
export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export { type CounterRandom, counterRandom, type Random, type RandomState } from './core/random.ts'
export type { NamedData, RunOptions, Session } from './core/session.ts'
export type { Tensor } from './core/tensor.ts'
export {
  countPages,
  type DecodedImage,
  type DecodedPixels,
  type DecodeOptions,
  decodeBytes,
  decodeImage,
  type ImageMetadata,
  type ImageSize,
  imageSize,
  type PageCount,
} from './data/decode.ts'
export { type EncodeOptions, encodeImage } from './data/encode.ts'
export type { Resolution } from './data/formats/resolution.ts'
export type { BitDepth, Image } from './data/image.ts'
export type { PngText } from './data/metadata/pngText.ts'
export { chain, maybe, oneOf, parseChain, shuffled } from './degrade/chain.ts'
export type {
  Amount,
  CallableDegradation,
  Degradation,
  Degrade,
  Drawn,
  NamedDegradation,
  Parameter,
  Parameters,
} from './degrade/defineDegradation.ts'
export { degradations } from './degrade/degradationTable.ts'
export { randomFor } from './degrade/namedRandom.ts'
export type { FetchedFile } from './downloads/fetchFile.ts'
export type { AtomicWriteOptions } from './files/atomicWrite.ts'
export {
  type ComputeMetrics,
  computeMetrics,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  networkMetrics,
  type Row,
  type Sample,
  type Unreadable,
} from './metrics/evaluate.ts'
export { type Metric, type MetricName, type MetricOptions, metrics } from './metrics/metrics.ts'
export { type MetricPool, metricPool } from './metrics/pool.ts'
export {
  degradedSamples,
  findProtocol,
  type Protocol,
  type ProtocolName,
  protocols,
} from './metrics/protocols.ts'
export { differenceMap } from './metrics/report/differenceMap.ts'
export type { Finding } from './models/daclip/wordRanking.ts'
export { type DamageId, damages, type NoiseForm, noiseForms } from './models/damages.ts'
export { type License, licenses, type TrainedSampling } from './models/modelCard.ts'
export type {
  Guidance,
  InputSize,
  Memory,
  NamedTensors,
  NetworkDescription,
  OncePerPhoto,
  RequiredGuide,
  Role,
  Sides,
  Tap,
  Tiling,
  ToneRole,
} from './models/networkDescriptor.ts'
export { tasks } from './models/tasks.ts'
export { cards, type ModelCard } from './registry/cards.ts'
export { type LoadedModel, loadModel, type RecognizedNetwork, recognize } from './registry/loadModel.ts'
export { type MetricNetwork, type MetricNetworks, metricNetworks } from './registry/metricNetworks.ts'
export type { ModelId } from './registry/networks.ts'
export {
  type AutoOptions,
  AutoRestorer,
  createAutoRestorer,
} from './runtime/autoRestorer.ts'
export type { Mix } from './runtime/checkRequest.ts'
export { createDetector, Detector, type DetectorOptions } from './runtime/detector.ts'
export { type FetchedModel, type FetchOptions, fetchModel } from './runtime/fetchModel.ts'
export type { NetworkId, RestoringNetwork } from './runtime/graphs/imageGraph.ts'
export type { OnProgress, ProgressEvent, SamplingProgress } from './runtime/jobs/progress.ts'
export type { PictureRestorer } from './runtime/pictureRestorer.ts'
export type {
  CanvasPicture,
  RawInput,
  RawPicture,
  RestoreInfo,
  StepInfo,
} from './runtime/pictures/pictureTypes.ts'
export { Pipeline } from './runtime/pipeline.ts'
export type { ReadOptions, RestoreInput } from './runtime/readInput.ts'
export { createPipeline, restore } from './runtime/restore.ts'
export type { RestoreResult, WriteOptions } from './runtime/restoreResult.ts'
export {
  createRestorer,
  Restorer,
  type RestorerOptions,
  type RunPictureOptions,
} from './runtime/restorer.ts'
export type { SamplingRequest } from './runtime/sampling/samplingPlan.ts'
export { ProcessSession } from './runtime/session/computeProcess.ts'
export { nodeSession, type OnnxOptions, onnxSession } from './runtime/session/nodeOnnxSession.ts'
