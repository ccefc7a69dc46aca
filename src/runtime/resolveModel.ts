// Resolves a request to weights: packaged ones by model or task, or the caller's own file.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { packageFolder } from '../data/packageFiles.ts'
import type { NetworkDescription, NetworkFacts } from '../models/networkDescriptor.ts'
import { defaultModels, type TaskId } from '../models/tasks.ts'
import { cards, findCard, findTask, isOwn, type ModelCard } from '../registry/cards.ts'
import { recognize } from '../registry/loadModel.ts'
import { type ModelId, networkOf } from '../registry/networks.ts'
import { cardOptions } from './checkRequest.ts'
import { checkGuide, describeGuide, rejectGuide, requiredGuide } from './sampling/guide.ts'

/** Options that select the weights. */
export interface ModelRequest {
  /** Id of a model card; `limpid models` lists them. */
  readonly model?: string | undefined
  /** Checkpoint file to use instead of packaged weights. */
  readonly weights?: string | undefined
  /**
   * Picks the default model of a task; for weights that hold several tasks, the one to run.
   * @default 'denoise'
   */
  readonly task?: string | undefined
  /** Output side divided by input side, for tasks with models of several scales. */
  readonly scale?: number | undefined
}

/** Weights file of a request. */
export interface ResolvedModel {
  readonly card: ModelCard | undefined
  readonly weights: string
  /** Network options that replace those the weights imply. */
  readonly overrides: object
}

/** Path of a card's weights in the package. */
export function packagedWeights(id: string): string {
  return join(packageFolder(), 'weights', `${id}.safetensors`)
}

/**
 * Resolves a request to a card and a weights file.
 * @throws RestoreError 'usage' where the package holds no weights of the model, or the options contradict
 * each other
 */
export function resolveModel(request: ModelRequest): ResolvedModel {
  const { model, weights, task, scale } = request
  if (model === undefined && weights !== undefined) {
    return { card: undefined, weights, overrides: task === undefined ? {} : taskOverride(weights, task) }
  }
  const card = model === undefined ? defaultCard(task, scale) : findCard(model)
  checkContradictions(card, request)
  const overrides = { ...cardOptions(card), ...(task === undefined ? {} : taskOptions(card.model, task)) }
  const packaged = packagedWeights(card.id)
  if (weights !== undefined) return { card, weights, overrides }
  if (existsSync(packaged)) return { card, weights: packaged, overrides }
  throw new RestoreError('usage', missingWeights(card))
}

/** Options that select a task of a network whose weights do several. */
function taskOptions(id: ModelId, task: string): object | undefined {
  const { taskOptions = {} }: NetworkFacts = networkOf(id).facts
  return Object.entries(taskOptions).find(([name]) => name === task)?.[1]
}

/** Selects the task of weights that hold several. @throws RestoreError 'usage' for weights with one task */
function taskOverride(weights: string, task: string): object {
  const { id, options } = recognize(readCheckpoint(weights))
  const selected = taskOptions(id, task)
  if (selected) return selected
  if (Object.hasOwn(options, 'task')) return { task }
  throw new RestoreError(
    'usage',
    `task: expected weights that hold several tasks, got ${weights} of ${id}, which has one; leave --task out`,
  )
}

function defaultCard(name: string | undefined, scale: number | undefined): ModelCard {
  const task: TaskId = name === undefined ? ((scale ?? 1) > 1 ? 'upscale' : 'denoise') : findTask(name)
  const ids = defaultModels[task]
  const card = ids.map(findCard).find((one) => scale === undefined || one.scale === scale)
  if (card) return card
  const scales = ids.map((id) => findCard(id).scale).join(', ')
  throw new RestoreError('usage', `scale: expected one of ${scales} for the task ${task}, got ${scale}`)
}

/** Checks that a task and scale given with a model are the model's own. */
function checkContradictions(card: ModelCard, { model, task, scale }: ModelRequest): void {
  if (model === undefined) return
  if (task !== undefined && !taskOptions(card.model, task) && findTask(task) !== card.task) {
    throw new RestoreError('usage', `task: expected ${card.task}, which ${card.id} is for, got ${task}`)
  }
  if (scale !== undefined && scale !== card.scale) {
    throw new RestoreError('usage', `scale: expected ${card.scale}, which ${card.id} is for, got ${scale}`)
  }
}

function missingWeights({ id, checkpoint, guide }: ModelCard): string {
  if (isOwn({ id, checkpoint }))
    return `${id}: expected its weights at ${packagedWeights(id)}, got no file; reinstall the package, or pass --weights FILE`
  const packaged = cards.filter((card) => existsSync(packagedWeights(card.id))).map((card) => card.id)
  const beside = guide === undefined ? '' : ` and --guide FILE with ${guide}`
  const available = packaged.length > 0 ? `; it has those of ${packaged.join(', ')}` : ''
  return `${id}: expected --weights FILE with the official file ${checkpoint}${beside}; the package has no weights of this model${available}`
}

interface GuideRequest {
  /** Name of the network's weights in errors. */
  readonly weights: string
  readonly card: ModelCard | undefined
  /** The caller's file. */
  readonly guide: string | undefined
}

/** File of a guide, and what it supplies. */
export interface ResolvedGuide extends Pick<ReturnType<typeof checkGuide>, 'network' | 'guidance'> {
  readonly file: string
}

/**
 * Resolves the guide of a network: the caller's file, else a packaged one; undefined if none is needed.
 * @throws RestoreError 'usage' for a guide that is missing, unnecessary or for another network
 */
export function resolveGuide(
  network: NetworkDescription,
  { weights, card, guide }: GuideRequest,
): ResolvedGuide | undefined {
  const need = requiredGuide(network)
  if (!need) return guide === undefined ? undefined : rejectGuide(network, { weights, guide })
  const packaged = card?.guide === undefined ? undefined : packagedWeights(card.guide)
  const file = guide ?? (packaged !== undefined && existsSync(packaged) ? packaged : undefined)
  if (file === undefined) {
    const advice = card?.guide === undefined ? '' : `; pass the file ${card.guide}`
    throw new RestoreError(
      'usage',
      `${weights}: expected --guide FILE, ${describeGuide(need)}, got none${advice}`,
    )
  }
  return { file, ...checkGuide(readCheckpoint(file), need, { weights, guide: file }) }
}
