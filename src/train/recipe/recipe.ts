// What a recipe is: one value that says everything about a training. Importing its file does nothing else, so that data
// workers can import the same file for its `data` alone.

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
import type { Batch, Draw, Mixup, Phase, Sample } from '../samples/samples.ts'

export interface RecipeData<S extends Sample> {
  /** `--data` replaces its folder. */
  readonly images: Images
  readonly phases: readonly Phase[]
  /**
   * Crops lie in a random square of this side, at one place in it for the whole batch, and smaller pictures are mirrored:
   * Restormer's progressive learning. Without it any place is as likely, and smaller pictures are refused.
   */
  readonly frame?: number
  /** Makes one sample; runs in a worker. All chance comes from the draw. */
  sample(draw: Draw): S
  /** Order of an epoch as positions in the list of images; a random permutation by default. */
  order?(names: readonly string[], random: Random): readonly number[]
  /** Blends pairs of samples of a batch, images only. */
  readonly mixup?: Mixup
}

export interface RecipeNetwork<N extends object, O extends object> {
  /** Which network it is, as `limpid inspect` calls it; a name of your own for a network of your own. */
  readonly model: string
  readonly options: O
  create(init: Init, options: O): N
  /** Height and width that the network accepts are multiples of this. */
  readonly multipleOf?: number
  /** Checkpoint to start from instead of random weights. */
  readonly weights?: string
  /** Makes of the checkpoint's weights, and of random ones, all that this network starts from; the checkpoint's by default. */
  adapt?(checkpoint: Weights, random: Weights): Weights
  /** Finishes the network on its device, before the first step of a training, and opens what stands beside it. */
  start?(network: N, beside: { readonly constants: Constants; readonly device: Device }): void
  /** Which parameters learn, by key; all by default. */
  learns?(key: string): boolean
  /** What is written for others, where some of the network serves its training alone. */
  readonly published?: { holds(key: string): boolean; readonly options: O }
}

/** Weights by checkpoint key. */
export type Weights = ReadonlyMap<string, WeightSource>

/** Numbers and words that a loss reads. */
export type Constants = Readonly<Record<string, number | string>>

export interface LossContext<N extends object, S extends Sample, C extends Constants = Constants> {
  readonly model: N
  readonly constants: C
  /** What `data.sample` made, stacked: images as [b c h w], numbers and texts as lists. */
  readonly batch: Batch<S>
  readonly step: number
  /** Chance of this step as host numbers. */
  readonly random: Random
  /** Chance of this step as tensors on the device. */
  readonly generator: RandomGenerator
}

export interface Validation<N extends object, C extends Constants = Constants> {
  /** Steps between two validations; there is one at the end too. */
  readonly every: number
  readonly images: Images
  /** Makes the input where the images come without one; the same at every validation. */
  readonly degrade?: Degrade
  /** Side in pixels of the middle part of the inputs that is taken; whole images by default. */
  readonly crop?: number
  /** [1 c h w] -> [1 c h·scale w·scale], with the averaged weights where there are some. */
  restore(model: N, input: Tensor, constants: C): Tensor
  /** The first decides which weights are the best. */
  readonly metrics: readonly [MetricName, ...MetricName[]]
  /** How many are shown in the report (default 4). */
  readonly pictures?: number
}

export interface Recipe<
  N extends object = object,
  O extends object = object,
  S extends Sample = Sample,
  C extends Constants = Constants,
> {
  readonly name: string
  /** Facts about the trained model for its file: title, task, license. */
  readonly card?: Readonly<Record<string, string>>
  readonly network: RecipeNetwork<N, O>
  readonly data: RecipeData<S>
  /** What the loss reads and `--set constants.NAME=VALUE` changes. */
  readonly constants?: C
  /** A scalar, or several named ones that are added up and logged apart. */
  loss(context: LossContext<N, S, C>): Tensor | Readonly<Record<string, Tensor>>
  optimizer(parameters: ReadonlyMap<string, Tensor>): Optimizer
  readonly learningRate: number | Schedule
  /** Updates of the weights. */
  readonly steps: number
  readonly seed: number
  /** Batches whose gradients are averaged for one step (default 1). */
  readonly accumulate?: number
  /** Largest joint L2 norm of all gradients. */
  readonly maxGradNorm?: number
  /** Largest L2 norm of each gradient. */
  readonly maxGradNormEach?: number
  readonly ema?: EmaDecay
  /** Of convolutions and products; weights and optimizer stay float32. */
  readonly precision?: 'float32' | 'bfloat16'
  readonly validate?: Validation<N, C>
  /** Steps between two checkpoints. */
  readonly saveEvery: number
  /** Steps between two rows of the log. */
  readonly logEvery: number
}

/** The recipe itself, its parts checked against one another by the compiler. */
export function defineRecipe<
  N extends object,
  const O extends object,
  S extends Sample,
  C extends Constants = Constants,
>(recipe: Recipe<N, O, S, C>): Recipe<N, O, S, C> {
  return recipe
}

/** The phase of a step. */
export function phaseAt(phases: readonly Phase[], step: number): Phase {
  let start = 0
  for (const phase of phases) {
    if (step < start + phase.steps) return phase
    start += phase.steps
  }
  return phases.at(-1) as Phase
}

export function rateAt({ learningRate }: Pick<Recipe, 'learningRate'>, step: number): number {
  return typeof learningRate === 'number' ? learningRate : learningRate(step)
}
