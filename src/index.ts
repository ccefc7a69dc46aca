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

export type { ByteSource, Checkpoint, StoredTensor } from './checkpoints/checkpoint.ts'
export { readCheckpoint, writeSafetensors } from './checkpoints/files.ts'
export type { OpenOptions } from './checkpoints/open.ts'
export type { WritableTensor } from './checkpoints/safetensors.ts'
export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export { type CounterRandom, counterRandom, type Random, type RandomState } from './core/random.ts'
export type { NamedData, RunOptions, Session } from './core/session.ts'
export type { Tensor } from './core/tensor.ts'
export {
  type DecodedImage,
  type DecodedPixels,
  type DecodeOptions,
  decodeBytes,
  decodeImage,
  type EncodeOptions,
  encodeImage,
  type ImageMetadata,
  type ImageSize,
  imageSize,
} from './data/codec.ts'
export type { Image } from './data/image.ts'
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
  Tap,
  Tiling,
  ToneRole,
} from './models/networkDescriptor.ts'
export { cards, type ModelCard, tasks } from './registry/cards.ts'
export { type LoadedModel, loadModel, type RecognizedNetwork, recognize } from './registry/loadModel.ts'
export { type MetricNetwork, type MetricNetworks, metricNetworks } from './registry/metricNetworks.ts'
export { createDetector, Detector, type DetectorOptions, type Finding } from './runtime/detector.ts'
export type { OnProgress, ProgressEvent, SamplingProgress } from './runtime/jobs/progress.ts'
export type { CanvasPicture, RawInput, RawPicture, RestoreInfo } from './runtime/pictures/pictureTypes.ts'
export type { ReadOptions, RestoreInput } from './runtime/readInput.ts'
export type { RestoreResult, WriteOptions } from './runtime/restoreResult.ts'
export {
  createRestorer,
  Restorer,
  type RestorerOptions,
  type RunPictureOptions,
  restore,
} from './runtime/restorer.ts'
export type { SamplingRequest } from './runtime/sampling/samplingPlan.ts'
export { ProcessSession } from './runtime/session/computeProcess.ts'
export { nodeSession, type OnnxOptions, onnxSession } from './runtime/session/nodeOnnxSession.ts'
