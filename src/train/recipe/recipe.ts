// Recipe: one value that fully describes a training. Importing a recipe file has no side effects, so data
// workers import the same file and use only its `data`.

import type { Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import type { MetricName } from '../../metrics/metrics.ts'
import type { Init } from '../../nn/init.ts'
import type { WeightSource } from '../../nn/module.ts'
import type { Device } from '../../torch/backend.ts'
import type { Optimizer } from '../../torch/optim.ts'
import type { RandomGenerator } from '../../torch/rng.ts'
import type { EmaDecay } from '../optimization/ema.ts'
import type { Schedule } from '../optimization/schedules.ts'
import type { Images } from '../samples/images.ts'
import type { Batch, Draw, Echo, Mixup, Phase, TrainingSample } from '../samples/samples.ts'

/** Images of a training and the samples made of them. */
export interface RecipeData<S extends TrainingSample> {
  /** Images to train on; `--data` replaces their root folder. */
  readonly images: Images
  /** Crop and batch sizes in order, each for a number of steps. */
  readonly phases: readonly Phase[]
  /**
   * Side in pixels of a random square within which crops are taken, at one offset for the whole batch;
   * smaller images are mirrored (Restormer's progressive learning). By default crops are taken anywhere, and
   * smaller images are rejected.
   */
  readonly frame?: number
  /** Makes one sample; runs in a worker. Must take all randomness from `draw`. */
  sample(draw: Draw): S
  /** Order of an epoch as indices into the list of images; a random permutation by default. */
  order?(names: readonly string[], random: Random): readonly number[]
  /** Mixes pairs of samples of a batch, float tensors only. */
  readonly mixup?: Mixup
  /** Uses each batch several times. */
  readonly echo?: Echo
}

/** Network of a training and its initial weights. */
export interface RecipeNetwork<N extends object, O extends object> {
  /** Name of the network as `limpid inspect` prints it; any name for a network of your own. */
  readonly model: string
  /** Options of the network; they are embedded in the weights file. */
  readonly options: O
  /** Creates the network. */
  create(init: Init, options: O): N
  /** The network requires heights and widths that are multiples of this. */
  readonly multipleOf?: number
  /** Checkpoint to start from instead of random weights. */
  readonly weights?: string
  /** Combines checkpoint and random weights into initial weights; by default the checkpoint's alone. */
  adapt?(checkpoint: Weights, random: Weights): Weights
  /** Initializes the network on its device before the first step, and opens frozen networks the loss uses. */
  start?(network: N, context: { readonly constants: Constants; readonly device: Device }): void
  /** Whether the parameter of a key is trained; all are by default. */
  learns?(key: string): boolean
  /** Keys and options of the published weights, if part of the network is only needed for training. */
  readonly published?: { holds(key: string): boolean; readonly options: O }
}

/** Weights by checkpoint key. */
export type Weights = ReadonlyMap<string, WeightSource>

/** Numbers and strings for the loss and for validation. */
export type Constants = Readonly<Record<string, number | string>>

/** What a loss is computed from. */
export interface LossContext<N extends object, S extends TrainingSample, C extends Constants = Constants> {
  /** The network, on its device. */
  readonly model: N
  /** `constants` of the recipe. */
  readonly constants: C
  /** Stacked results of `data.sample`: images as [b c h w], numbers and strings as lists. */
  readonly batch: Batch<S>
  /** Step (0-based). */
  readonly step: number
  /** Random numbers of this batch, on the host. */
  readonly random: Random
  /** Random tensors of this batch, on the device. */
  readonly generator: RandomGenerator
}

/** Validation during a training. */
export interface Validation<N extends object, C extends Constants = Constants> {
  /** Steps between validations; the last step is always validated. */
  readonly every: number
  /** Images to restore: inputs and targets, or targets and `degrade`. */
  readonly images: Images
  /** Makes the inputs if the images come without them; identical at every validation. */
  readonly degrade?: Degrade
  /** Side in pixels of the center crop of the inputs; whole images by default. */
  readonly crop?: number
  /** Restores an image, with averaged weights if the recipe has `ema`: [1 c h w] -> [1 c h·scale w·scale]. */
  restore(model: N, input: Tensor, constants: C): Tensor
  /** Metrics to report; the first selects the best weights. */
  readonly metrics: readonly [MetricName, ...MetricName[]]
  /** Number of images in the report. @default 4 */
  readonly pictures?: number
}

/** Full description of a training. */
export interface Recipe<
  N extends object = object,
  O extends object = object,
  S extends TrainingSample = TrainingSample,
  C extends Constants = Constants,
> {
  /** Name of the training, embedded in its files. */
  readonly name: string
  /** Facts about the trained model to embed in its file: title, task, license. */
  readonly card?: Readonly<Record<string, string>>
  /** The network and its initial weights. */
  readonly network: RecipeNetwork<N, O>
  /** Images, crops and samples. */
  readonly data: RecipeData<S>
  /** Constants for the loss and validation; `--set constants.NAME=VALUE` changes them. */
  readonly constants?: C
  /** Computes a scalar, or several named scalars that are summed and logged separately. */
  loss(context: LossContext<N, S, C>): Tensor | Readonly<Record<string, Tensor>>
  /** Creates the optimizer of the trainable parameters. */
  optimizer(parameters: ReadonlyMap<string, Tensor>): Optimizer
  /** Learning rate, constant or by step. */
  readonly learningRate: number | Schedule
  /** Number of weight updates. */
  readonly steps: number
  /** Seed of all random numbers: weights, order of images, crops, degradations. */
  readonly seed: number
  /** Batches whose gradients are averaged for one step. @default 1 */
  readonly accumulate?: number
  /** Largest joint L2 norm of all gradients. */
  readonly maxGradNorm?: number
  /** Largest L2 norm of each gradient. */
  readonly maxGradNormEach?: number
  /** Decay of an average of the weights, which is validated and published instead of them. */
  readonly ema?: EmaDecay
  /** Precision of convolutions and matrix products; weights and optimizer stay float32. @default 'float32' */
  readonly precision?: 'float32' | 'bfloat16'
  /** Validation; the best weights are kept. */
  readonly validate?: Validation<N, C>
  /** Steps between saved states. */
  readonly saveEvery: number
  /** Steps between rows of the log. */
  readonly logEvery: number
}

/**
 * Returns the recipe unchanged; the compiler checks that its parts fit together.
 *
 * @example
 * ```ts
 * export const recipe = defineRecipe({
 *   name: 'mine',
 *   network: { model: 'light', options: lightDefaults, create: (init, options) => new Light(init, options) },
 *   data: {
 *     images: folder('photos'),
 *     phases: [{ steps: 20_000, crop: 64, batch: 8 }],
 *     sample: degraded(noise({ sigma: [0, 50] })),
 *   },
 *   loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
 *   optimizer: (parameters) => adamW(parameters),
 *   learningRate: cosine(1e-3, 1e-6, 20_000),
 *   steps: 20_000,
 *   seed: 1,
 *   saveEvery: 500,
 *   logEvery: 50,
 * })
 * ```
 */
export function defineRecipe<
  N extends object,
  const O extends object,
  S extends TrainingSample,
  C extends Constants = Constants,
>(recipe: Recipe<N, O, S, C>): Recipe<N, O, S, C> {
  return recipe
}

/** Returns the phase that a step belongs to. */
export function phaseAt(phases: readonly Phase[], step: number): Phase {
  let start = 0
  for (const phase of phases) {
    if (step < start + phase.steps) return phase
    start += phase.steps
  }
  return phases.at(-1)!
}

/** Returns the learning rate at a step. */
export function rateAt({ learningRate }: Pick<Recipe, 'learningRate'>, step: number): number {
  return typeof learningRate === 'number' ? learningRate : learningRate(step)
}
