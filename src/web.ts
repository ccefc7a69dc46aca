/**
 * Restoration in a browser. The page brings the runtime and the weights. Without WebGPU a page does not respond while a
 * tile is computed: run the restorer in a worker.
 *
 * @module limpid/web
 *
 * @example
 * ```ts
 * import * as ort from 'onnxruntime-web/webgpu'
 * import { createRestorer } from 'limpid/web'
 *
 * const restorer = await createRestorer({ runtime: ort, weights: '/light-photo.safetensors' })
 * const result = await restorer.run(file, { onProgress: ({ done, total }) => console.log(done, total) })
 * image.src = URL.createObjectURL(await result.toBlob())
 * ```
 */

export type { OverrideRequest } from './auto/plan/overrides.ts'
export type { Plan } from './auto/plan/plan.ts'
export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export type { Image } from './data/image.ts'
export { type License, licenses } from './models/modelCard.ts'
export { tasks } from './models/tasks.ts'
export { cards, type ModelCard } from './registry/cards.ts'
export type { OnProgress, ProgressEvent, SamplingProgress } from './runtime/jobs/progress.ts'
export type { RawInput, RawPicture } from './runtime/pictures/pictureTypes.ts'
export type { RestoredTile } from './runtime/pictures/restoredTile.ts'
export type { SamplingRequest } from './runtime/sampling/samplingPlan.ts'
export type { OnnxRuntime } from './runtime/session/onnxSession.ts'
export type { WorkerFailure, WorkerLike } from './web/channel/callChannel.ts'
export type { RuntimeBuilds, WebRuntime } from './web/compute/computeServer.ts'
export {
  createEngine,
  type Engine,
  type EngineOptions,
  type NeededWeights,
  type PlanRequest,
} from './web/engine/engine.ts'
export type {
  Converted,
  ConvertRequest,
  EngineFacts,
  EngineRequest,
  EngineSettings,
  Region,
} from './web/engineTypes.ts'
export { type FetchModelOptions, fetchModel, type ModelFiles } from './web/fetchModel.ts'
export { blend } from './web/files/blend.ts'
export type { CanvasImageData, ColorSpace } from './web/files/canvas.ts'
export type { Rgba } from './web/files/nativeDecoder.ts'
export type { Decoders } from './web/files/readPicture.ts'
export { type RewriteOptions, rewrite } from './web/files/rewrite.ts'
export type { EncodeOptions } from './web/files/writePicture.ts'
export type { WeightsInput } from './web/readWeights.ts'
export type { WeightsFile, WeightsFolders } from './web/store/weightsFiles.ts'
export type {
  ReadWeights,
  ReadWeightsOptions,
  StoredWeights,
  WeightsStore,
} from './web/store/weightsStore.ts'
export {
  createRestorer,
  type RunOptions,
  type WebRestorer,
  type WebRestorerOptions,
} from './web/webRestorer.ts'
export type { WebResult } from './web/webResult.ts'
export {
  createWorkerRestorer,
  type WorkerRestorer,
  type WorkerRestorerOptions,
} from './web/workerRestorer.ts'
export { type ServeOptions, serveRestorer } from './web/workerServer.ts'
