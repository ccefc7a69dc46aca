// limpid: checkpoints, networks and restoration in Node.

export type { Checkpoint, StoredTensor } from './checkpoints/checkpoint.ts'
export { readCheckpoint, writeSafetensors } from './checkpoints/files.ts'
export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export { counterRandom, type Random } from './core/random.ts'
export type { Session } from './core/session.ts'
export {
  type DecodedImage,
  decodeBytes,
  decodeImage,
  encodeImage,
  type ImageMetadata,
  imageSize,
} from './data/codec.ts'
export type { Image } from './data/image.ts'
export { chain, maybe, oneOf, parseChain, shuffled } from './degrade/chain.ts'
export type { Degradation, Degrade } from './degrade/defineDegradation.ts'
export { degradations } from './degrade/degradationTable.ts'
export { randomFor } from './degrade/namedRandom.ts'
export {
  computeMetrics,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  networkMetrics,
  type Row,
  type Sample,
  type Unreadable,
} from './metrics/evaluate.ts'
export { type MetricName, metrics } from './metrics/metrics.ts'
export { type MetricPool, metricPool } from './metrics/pool.ts'
export {
  degradedSamples,
  findProtocol,
  type Protocol,
  type ProtocolName,
  protocols,
} from './metrics/protocols.ts'
export { differenceMap } from './metrics/report/differenceMap.ts'
export { type License, licenses } from './models/modelCard.ts'
export { tasks } from './models/tasks.ts'
export { cards, type ModelCard } from './registry/cards.ts'
export { type LoadedModel, loadModel, recognize } from './registry/loadModel.ts'
export { metricNetworks } from './registry/metricNetworks.ts'
export { createDetector, Detector, type DetectorOptions, type Finding } from './runtime/detector.ts'
export type { OnProgress, ProgressEvent, SamplingProgress } from './runtime/jobs/progress.ts'
export type { RawInput, RawPicture, RestoreInfo } from './runtime/pictures/pictureTypes.ts'
export type { RestoreInput } from './runtime/readInput.ts'
export type { RestoreResult } from './runtime/restoreResult.ts'
export {
  createRestorer,
  Restorer,
  type RestorerOptions,
  type RunPictureOptions,
  restore,
} from './runtime/restorer.ts'
export type { SamplingRequest } from './runtime/sampling/samplingPlan.ts'
export { ProcessSession } from './runtime/session/computeProcess.ts'
export { nodeSession, onnxSession } from './runtime/session/nodeOnnxSession.ts'
