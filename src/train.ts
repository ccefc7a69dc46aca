// limpid/train: tensors on libtorch, autograd and what a recipe needs. Run `limpid setup` once before.

export { loadAddon as libtorch } from '../native/load.ts'
export { readCheckpoint, writeSafetensors } from './checkpoints/files.ts'
export { float32Data, type TensorData } from './core/data.ts'
export { RestoreError } from './core/errors.ts'
export { l1Loss, pixelUnshuffle } from './core/functional.ts'
export { hostTensor } from './core/host.ts'
export { rearrange } from './core/rearrange.ts'
export { cat, Tensor } from './core/tensor.ts'
export { Restormer, type RestormerOptions, restormerDefaults } from './models/restormer.ts'
export { emptyInit, type Init, randomInit } from './nn/init.ts'
export { loadWeights, parameterCount, parameters, stateDict } from './nn/module.ts'
export { type LoadedModel, loadModel } from './registry/builders.ts'
export {
  autocast,
  backward,
  type Device,
  grad,
  moveToTorch,
  noGrad,
  scalar,
  scope,
  toTorch,
} from './torch/backend.ts'
export { type AdamWOptions, adamW, clipGradNorm, type Optimizer } from './torch/optim.ts'
export { RandomGenerator } from './torch/rng.ts'
export { type TrainStep, trainStep } from './train/step.ts'
