// limpid/web: restoring in a browser. The caller brings the runtime and the weights:
//
//   import * as ort from 'onnxruntime-web/webgpu'
//   import { createRestorer } from 'limpid/web'
//
//   const restorer = await createRestorer({ runtime: ort, weights: '/light-photo.safetensors' })
//   const result = await restorer.run(file, { onProgress: ({ done, total }) => console.log(done, total) })
//   image.src = URL.createObjectURL(await result.toBlob())
//
// Without WebGPU a page stands still while a tile is computed: call it in a worker.

export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export type { Image } from './data/image.ts'
export { type License, licenses } from './models/modelCard.ts'
export { tasks } from './models/tasks.ts'
export { cards, type ModelCard } from './registry/cards.ts'
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
