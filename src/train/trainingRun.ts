// State of a training: the network, its optimizer, its weight average, and the loss of a batch.

import { clipTensors } from '../checkpoints/clipLayouts.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import type { Tensor } from '../core/tensor.ts'
import { emptyInit, randomInit } from '../nn/init.ts'
import { loadWeights, parameters, stateDict } from '../nn/module.ts'
import { networks } from '../registry/networks.ts'
import { weightSources } from '../registry/storedWeights.ts'
import { autocast, type Device, moveToTorch, scope, toTorch } from '../torch/backend.ts'
import type { Optimizer } from '../torch/optim.ts'
import { RandomGenerator } from '../torch/rng.ts'
import { streamOf } from './loader/batchPlan.ts'
import { Ema } from './optimization/ema.ts'
import type { Losses } from './optimization/step.ts'
import type { Recipe, Weights } from './recipe/recipe.ts'
import type { OpenImages } from './samples/images.ts'
import type { Batch, HostBatch, TrainingSample } from './samples/samples.ts'

export interface TrainingRun {
  readonly recipe: Recipe
  readonly device: Device
  readonly network: object
  /** Trainable parameters by key. */
  readonly trained: ReadonlyMap<string, Tensor>
  readonly optimizer: Optimizer
  readonly ema: Ema<object> | undefined
  readonly validation: OpenImages | undefined
}

/** Builds the network of a recipe with random weights from its seed, or with those of `network.weights`. */
export function createRun(recipe: Recipe, device: Device, validation?: OpenImages): TrainingRun {
  const { options, weights } = recipe.network
  const random = streamOf(recipe.seed, 'weights')
  const isRandom = weights === undefined || recipe.network.adapt !== undefined
  const network = recipe.network.create(isRandom ? randomInit(() => random.uniform()) : emptyInit(), options)
  if (weights !== undefined) loadInitialWeights(network, weights, recipe.network)
  // Frozen parameters get no gradients.
  for (const [key, tensor] of parameters(network)) tensor.isTrainable = recipe.network.learns?.(key) ?? true
  moveToTorch(network, device)
  recipe.network.start?.(network, { constants: recipe.constants ?? {}, device })
  const trained = parameters(network)
  if (trained.size === 0) {
    throw new RestoreError('usage', 'network.learns: expected at least one trainable parameter, got none')
  }
  const optimizer = recipe.optimizer(trained)
  const ema = recipe.ema ? new Ema(network, recipe.network.create(emptyInit(), options), device) : undefined
  return { recipe, device, network, trained, optimizer, ema, validation }
}

/** Loads a file as restoring does: in any layout of the network's files, without keys that it ignores. */
function loadInitialWeights(
  network: object,
  file: string,
  { model, options, adapt }: Recipe['network'],
): void {
  const checkpoint = readCheckpoint(file)
  const known = networks.find(({ id }) => id === model)
  const tensors = known?.facts.signature.layout?.(checkpoint) ?? clipTensors(checkpoint)
  const weights = weightSources(tensors, known?.fromOptions(options).ignoredKeys ?? [])
  loadWeights(network, adapt ? adapt(weights, hostWeights(network)) : weights)
}

/** Weights of a network in host memory. */
function hostWeights(network: object): Weights {
  return new Map(
    [...stateDict(network)].map(([key, tensor]) => {
      const data = tensor.read()
      return [key, { shape: data.shape, floats: () => toFloat32(data) }]
    }),
  )
}

/** Computes the losses of one batch, whose index `number` selects the random stream. */
export function batchLosses(
  { recipe, network, device }: TrainingRun,
  { batch, step, number }: { readonly batch: HostBatch; readonly step: number; readonly number: number },
): Losses {
  const random = streamOf(recipe.seed, 'loss').fork(number)
  const generator = new RandomGenerator(random.fork(0).integer(2 ** 32), device)
  const compute = () =>
    recipe.loss({
      model: network,
      constants: recipe.constants ?? {},
      batch: toDevice(batch, device),
      step,
      random: random.fork(1),
      generator,
    })
  if (recipe.precision !== 'bfloat16') return compute()
  return autocast(device === 'cpu' ? 'cpu' : 'cuda', 'bfloat16', () => scope(compute))
}

function toDevice(batch: HostBatch, device: Device): Batch<TrainingSample> {
  return Object.fromEntries(
    Object.entries(batch).map(([name, value]) => [name, 'bytes' in value ? toTorch(value, device) : value]),
  ) as Batch<TrainingSample>
}

/** Returns the network to publish: the averaged one if the recipe averages weights. */
export function publishedNetwork({ network, ema }: TrainingRun): object {
  return ema?.network ?? network
}
