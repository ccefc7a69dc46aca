// Training: recipes and the function that trains them, and the parts of a loop of your own.

export { l1Loss } from '../core/functional.ts'
export type { Rejected } from '../data/sources/check.ts'
export {
  type AdamOptions,
  type AdamWOptions,
  adam,
  adamW,
  assign,
  clipEachGradNorm,
  clipGradNorm,
  type LionOptions,
  lerpTensors,
  lion,
  type Optimizer,
  type SgdOptions,
  sgd,
} from '../torch/optim.ts'
export { type EmaDecay, emaDecay, emaPytorch } from '../train/optimization/ema.ts'
export { charbonnierLoss, frequencyLoss, mseLoss, psnrLoss } from '../train/optimization/losses.ts'
export {
  constant,
  cosine,
  cosineRestarts,
  type Schedule,
  sequence,
  steps,
  warmup,
} from '../train/optimization/schedules.ts'
export { addGradients, type Losses, type TrainStep, trainStep } from '../train/optimization/step.ts'
export {
  type Constants,
  defineRecipe,
  type LossContext,
  type Recipe,
  type RecipeData,
  type RecipeNetwork,
  type Validation,
  type Weights,
} from '../train/recipe/recipe.ts'
export type { Best } from '../train/state.ts'
export { type PrepareOptions, type TrainOptions, type TrainResult, train } from '../train/train.ts'
export type { OnTrainingProgress, TrainingProgress } from '../train/trainingProgress.ts'
