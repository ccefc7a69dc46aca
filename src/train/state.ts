// What a training leaves in its folder: the weights for everyone, and beside them the state that lets it go on.
// All chance follows from seed and step (loader/plan.ts), so a state needs no generators and no data position but the step.

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
import { rateAt } from './recipe/recipe.ts'
import { differences, steadyPart, type TrainingIdentity } from './trainingIdentity.ts'
import { publishedNetwork, type TrainingRun } from './trainingRun.ts'

/** What a training goes on from, and the weights it is for: the newest ones and those of the best validation. */
export const files = {
  state: 'state.safetensors',
  weights: 'weights.safetensors',
  best: 'best.safetensors',
} as const

/** The best validation so far. */
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

/** Writes the state, then the weights; each appears whole or not at all. */
export function saveState(
  run: TrainingRun,
  folder: string,
  identity: TrainingIdentity,
  progress: Progress,
): void {
  const metadata = new Map([
    ['limpid', 'training state'],
    ['progress', JSON.stringify(progress)],
    ['identity', JSON.stringify(identity)],
  ])
  writeSafetensors(join(folder, files.state), readAll(tensorsOf(run)), metadata)
  saveWeights(run, join(folder, files.weights), identity, progress)
}

/** Weights under their official keys, with what they are and where they come from. */
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

/** Puts a run where its folder's state was; refuses a state of another recipe, code or data, saying what differs. */
export function loadState(run: TrainingRun, folder: string, identity: TrainingIdentity): Progress {
  const path = join(folder, files.state)
  const checkpoint = readCheckpoint(path)
  const written = checkpoint.metadata.get('identity')
  if (written === undefined) {
    throw new RestoreError(
      'checkpoint',
      `${path}: expected the state of a training, got a file without its identity; begin another training with --out`,
    )
  }
  const before = JSON.parse(written) as TrainingIdentity
  // At the steps that were noted, which another number of steps would choose elsewhere.
  const rates = Object.fromEntries(
    Object.keys(before.rates).map((step) => [step, rateAt(run.recipe, Number(step))]),
  )
  const changed = differences(steadyPart(before), steadyPart({ ...identity, rates }))
  if (changed.length > 0) {
    throw new RestoreError(
      'usage',
      `${path}: expected the recipe and data that this training began with; what differs: ${changed.join('; ')}; put them back, or begin another training with --out`,
    )
  }
  restore(tensorsOf(run), checkpoint, path)
  return JSON.parse(checkpoint.metadata.get('progress') ?? '{}') as Progress
}

function restore(targets: ReadonlyMap<string, Tensor>, { tensors }: Checkpoint, path: string): void {
  for (const [key, target] of targets) {
    const stored = tensors.get(key)
    if (!stored || !sameShape(stored.shape, target.shape)) {
      throw new RestoreError(
        'checkpoint',
        `${path}: expected ${key} [${target.shape.join(' ')}], got ${stored ? `[${stored.shape.join(' ')}]` : 'none'}; begin another training with --out`,
      )
    }
    scope(() => assign(target, toTorch(loadTensor(stored))))
  }
}
