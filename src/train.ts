/**
 * Training on libtorch, which `limpid setup` installs: tensors and autograd, networks, degradations, recipes and the
 * function that trains them.
 *
 * @module limpid/train
 *
 * @example
 * ```ts
 * import { train } from 'limpid/train'
 *
 * const { weights } = await train('recipes/your-own.ts', { data: 'photos', out: 'runs/mine' })
 * ```
 */

export { type ErrorCode, errorCodes, RestoreError } from './core/errors.ts'
export * from './exports/degradations.ts'
export * from './exports/networks.ts'
export * from './exports/recipeParts.ts'
export * from './exports/tensors.ts'
export * from './exports/training.ts'
export * from './exports/trainingData.ts'
