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

export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export type { Image } from './data/image.ts'
export { type License, licenses } from './models/modelCard.ts'
export { cards, type ModelCard, tasks } from './registry/cards.ts'
export type { OnProgress, ProgressEvent, SamplingProgress } from './runtime/jobs/progress.ts'
export type { RawInput, RawPicture } from './runtime/pictures/pictureTypes.ts'
export type { SamplingRequest } from './runtime/sampling/samplingPlan.ts'
export type { OnnxRuntime } from './runtime/session/onnxSession.ts'
export type { CanvasImageData, EncodeOptions } from './web/canvas.ts'
export {
  createRestorer,
  type RunOptions,
  type WebRestorer,
  type WebRestorerOptions,
  type WeightsInput,
} from './web/webRestorer.ts'
export type { WebResult } from './web/webResult.ts'
