// limpid/train: tensors on libtorch, autograd and everything that recipes are made of. Requires `limpid setup` once.

export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export * from './exports/degradations.ts'
export * from './exports/networks.ts'
export * from './exports/recipeParts.ts'
export * from './exports/tensors.ts'
export * from './exports/training.ts'
export * from './exports/trainingData.ts'
