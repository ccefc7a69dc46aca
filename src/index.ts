// limpid: checkpoints, networks and restoration in Node.

export { readCheckpoint, writeSafetensors } from './checkpoints/files.ts'
export type { Checkpoint, StoredTensor } from './checkpoints/stored.ts'
export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
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
export { type LoadedModel, loadModel, recognize } from './registry/builders.ts'
export { cards, licenses, type ModelCard } from './registry/cards.ts'
export { tasks } from './registry/tasks.ts'
export { ComputeSession } from './runtime/compute.ts'
export type { RawInput, RestoreInput } from './runtime/input.ts'
export type { OnProgress, ProgressEvent } from './runtime/progress.ts'
export { type RestoreOptions, restoreImage } from './runtime/restore.ts'
export {
  createRestorer,
  Restorer,
  type RestorerOptions,
  type RunPictureOptions,
  restore,
} from './runtime/restorer.ts'
export type { RawPicture, RestoreInfo, RestoreResult } from './runtime/result.ts'
export { nodeSession, onnxSession } from './runtime/sessionNode.ts'
