// Files a training writes to its folder: the weights to use, and the state to resume from.
// All randomness is derived from seed and step (loader/batchPlan.ts), so the state holds no generators, and
// the step is the only data position.

import { join } from 'node:path'
import { type Checkpoint, loadTensor } from '../checkpoints/checkpoint.ts'
import { readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
import type { TensorData } from '../core/data.ts'
import { sameShape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import type { Tensor } from '../core/tensor.ts'
import { stateDict } from '../nn/module.ts'
import { scope, toTorch } from '../torch/backend.ts'
import { assign } from '../torch/optim.ts'
import { checkFiniteWeights, type Position } from './finite.ts'
import { rateAt } from './recipe/recipe.ts'
import { changesBetween, type TrainingIdentity } from './trainingIdentity.ts'
import { publishedNetwork, type TrainingRun } from './trainingRun.ts'

/** File names: the state to resume from, the newest weights, and the weights of the best validation. */
export const files = {
  state: 'state.safetensors',
  weights: 'weights.safetensors',
  best: 'best.safetensors',
} as const

/** Best validation result so far. */
export interface Best {
  readonly step: number
  readonly metric: string
  readonly value: number
}

export interface Progress {
  /** Steps done. */
  readonly step: number
  readonly best: Best | undefined
}

/** A state that a training goes on from. */
export interface Resumed extends Progress {
  /** How recipe and data differ from those of the state. */
  readonly changes: readonly string[]
}

function tensorsOf(run: TrainingRun): Map<string, Tensor> {
  const parts = [
    ['model', stateDict(run.network)],
    ['optimizer', run.optimizer.state()],
    ['ema', run.ema ? stateDict(run.ema.network) : new Map<string, Tensor>()],
  ] as const
  return new Map(
    parts.flatMap(([part, tensors]) =>
      [...tensors].map(([key, tensor]) => [`${part}.${key}`, tensor] as const),
    ),
  )
}

function readAll(tensors: ReadonlyMap<string, Tensor>): Map<string, TensorData> {
  return new Map([...tensors].map(([key, tensor]) => [key, tensor.read()]))
}

/**
 * Writes the state, then the weights, each atomically.
 *
 * @throws RestoreError `numeric` for weights that are not finite, which replace nothing
 */
export function saveState(
  run: TrainingRun,
  folder: string,
  identity: TrainingIdentity,
  { step, best, savedStep }: Progress & Position,
): void {
  const metadata = new Map([
    ['limpid', 'training state'],
    ['progress', JSON.stringify({ step, best })],
    ['identity', JSON.stringify(identity)],
  ])
  const tensors = readAll(tensorsOf(run))
  checkFiniteWeights(tensors, { step, savedStep })
  writeSafetensors(join(folder, files.state), tensors, metadata)
  saveWeights(run, join(folder, files.weights), identity, { step, best })
}

/** Writes the weights under their official keys, with network options and provenance as metadata. */
export function saveWeights(
  run: TrainingRun,
  path: string,
  identity: TrainingIdentity,
  { step, best }: Progress,
): void {
  const { name, card, network, seed } = run.recipe
  const { code, data, version } = identity
  const provenance = {
    recipe: name,
    code,
    data,
    seed,
    steps: step,
    averaged: run.ema !== undefined,
    best,
    version,
  }
  const metadata = new Map([
    ['format', 'pt'],
    ['model', network.model],
    ['options', JSON.stringify(network.published?.options ?? network.options)],
    ['provenance', JSON.stringify(provenance)],
    ...(card ? ([['card', JSON.stringify(card)]] as const) : []),
  ])
  const tensors = [...stateDict(publishedNetwork(run))]
  const held = tensors.filter(([key]) => network.published?.holds(key) ?? true)
  writeSafetensors(path, readAll(new Map(held)), metadata)
}

/**
 * Loads the state in a folder into a run.
 *
 * @throws RestoreError for a state of another network; for one of another recipe, code or data, with the
 * differences, unless changes are accepted
 */
export function loadState(
  run: TrainingRun,
  folder: string,
  identity: TrainingIdentity,
  { acceptsChanges }: { readonly acceptsChanges: boolean },
): Resumed {
  const path = join(folder, files.state)
  const checkpoint = readCheckpoint(path, { isWhole: true })
  const written = checkpoint.metadata.get('identity')
  if (written === undefined) {
    throw new RestoreError(
      'checkpoint',
      `${path}: expected the state of a training, got a file without its identity; start a new training with --out`,
    )
  }
  const before = JSON.parse(written) as TrainingIdentity
  // Compare at the recorded steps: identify() picks others when the number of steps has changed.
  const rates = Object.fromEntries(
    Object.keys(before.rates).map((step) => [step, rateAt(run.recipe, Number(step))]),
  )
  const changes = changesBetween(before, { ...identity, rates })
  if (changes.length > 0 && !acceptsChanges) {
    throw new RestoreError(
      'usage',
      `${path}: expected the recipe and data this training started with, got changes: ${changes.join('; ')}; revert them, go on with them by --accept-changes, or start a new training with --out`,
    )
  }
  assignTensors(tensorsOf(run), checkpoint, path)
  const progress = JSON.parse(checkpoint.metadata.get('progress') ?? '{}') as Progress
  return { ...progress, changes }
}

function assignTensors(targets: ReadonlyMap<string, Tensor>, { tensors }: Checkpoint, path: string): void {
  for (const [key, target] of targets) {
    const stored = tensors.get(key)
    if (!stored || !sameShape(stored.shape, target.shape)) {
      throw new RestoreError(
        'checkpoint',
        `${path}: expected ${key} [${target.shape.join(' ')}], got ${stored ? `[${stored.shape.join(' ')}]` : 'none'}; start a new training with --out`,
      )
    }
    scope(() => assign(target, toTorch(loadTensor(stored))))
  }
}
