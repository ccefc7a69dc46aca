// limpid: checkpoints, networks and restoration in Node.

export { readCheckpoint, writeSafetensors } from './checkpoints/files.ts'
export type { Checkpoint, StoredTensor } from './checkpoints/stored.ts'
export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export type { Session } from './core/session.ts'
export { type DecodedImage, decodeImage, encodeImage } from './data/codec.ts'
export type { Image } from './data/image.ts'
export { type LoadedModel, loadModel, recognize } from './registry/builders.ts'
export { cards, licenses, type ModelCard } from './registry/cards.ts'
export { tasks } from './registry/tasks.ts'
export { type RestoreOptions, restoreImage } from './runtime/restore.ts'
export { nodeSession, onnxSession } from './runtime/sessionNode.ts'
