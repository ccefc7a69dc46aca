// limpid/web: what runs in a browser. The caller brings the runtime, `import * as ort from 'onnxruntime-web'`:
//
//   const model = loadModel(openCheckpoint(memorySource(await (await fetch(url)).arrayBuffer())))
//   const session = tracedSession(model, (onnx) => openOnnx(ort, onnx, { executionProviders: ['webgpu'] }))
//   const restored = await restoreImage(image, model, session)

export { openCheckpoint } from './checkpoints/open.ts'
export { type Checkpoint, memorySource, type StoredTensor } from './checkpoints/stored.ts'
export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export type { Session } from './core/session.ts'
export type { Image } from './data/image.ts'
export { type LoadedModel, loadModel, recognize } from './registry/builders.ts'
export { cards, licenses, type ModelCard } from './registry/cards.ts'
export { tasks } from './registry/tasks.ts'
export { type RestoreOptions, restoreImage } from './runtime/restore.ts'
export { type OnnxRuntime, openOnnx, tracedSession } from './runtime/session/session.ts'
