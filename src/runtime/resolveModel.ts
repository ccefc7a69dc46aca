// Weights by the id of a model or by a task: files of the package, or the caller's own.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { packageFolder } from '../data/packageFiles.ts'
import { cards, isOwn, type ModelCard } from '../registry/cards.ts'
import { builders, findCard, recognize } from '../registry/networks.ts'
import { defaultModels, findTask, type TaskId } from '../registry/tasks.ts'
import { untoldOptions } from './checkRequest.ts'
import { checkGuide, guideNeed, refuseGuide } from './sampling/guide.ts'
import type { SamplingNetwork } from './sampling/samplingPlan.ts'

export interface ModelRequest {
  /** Id of a card. */
  readonly model?: string | undefined
  /** A checkpoint in place of the package's own. */
  readonly weights?: string | undefined
  /** Picks the default model of a task, 'denoise' unless given; with weights of several tasks, which of theirs. */
  readonly task?: string | undefined
  /** Side of the result over that of the picture, where a task has models of several. */
  readonly scale?: number | undefined
}

export interface FoundModel {
  readonly card: ModelCard | undefined
  readonly weights: string
  /** Options of the network that its weights do not tell. */
  readonly options: object
}

/** Where the package keeps the weights of a card. */
export function packagedWeights(id: string): string {
  return join(packageFolder(), 'weights', `${id}.safetensors`)
}

/** The card and the weights to open; without weights of its own, a model needs the caller's. */
export function findModel(request: ModelRequest): FoundModel {
  const { model, weights, task, scale } = request
  if (model === undefined && weights !== undefined) {
    return { card: undefined, weights, options: task === undefined ? {} : taskOf(weights, task) }
  }
  const card = model === undefined ? defaultFor(task, scale) : findCard(model)
  checkRequest(card, request)
  const options = untoldOptions(card)
  const packaged = packagedWeights(card.id)
  if (weights !== undefined) return { card, weights, options }
  if (existsSync(packaged)) return { card, weights: packaged, options }
  throw new RestoreError('usage', missing(card))
}

/** The task that is asked of weights that can do several. */
function taskOf(weights: string, task: string): object {
  const { id } = recognize(readCheckpoint(weights))
  if (Object.hasOwn(builders[id].defaults, 'task')) return { task }
  throw new RestoreError(
    'usage',
    `task: expected weights that can do several, got ${weights} of ${id}, which does one; leave --task out`,
  )
}

function defaultFor(name: string | undefined, scale: number | undefined): ModelCard {
  const task: TaskId = name === undefined ? ((scale ?? 1) > 1 ? 'upscale' : 'denoise') : findTask(name)
  const ids = defaultModels[task]
  const found = ids.map(findCard).find((card) => scale === undefined || card.scale === scale)
  if (found) return found
  const scales = ids.map((id) => findCard(id).scale).join(', ')
  throw new RestoreError('usage', `scale: expected one of ${scales} for the task ${task}, got ${scale}`)
}

/** A task or a scale beside a model must be its own. */
function checkRequest(card: ModelCard, { model, task, scale }: ModelRequest): void {
  if (model === undefined) return
  if (task !== undefined && findTask(task) !== card.task) {
    throw new RestoreError('usage', `task: expected ${card.task}, which ${card.id} is for, got ${task}`)
  }
  if (scale !== undefined && scale !== card.scale) {
    throw new RestoreError('usage', `scale: expected ${card.scale}, which ${card.id} is for, got ${scale}`)
  }
}

function missing({ id, checkpoint, guide }: ModelCard): string {
  if (isOwn({ id, checkpoint }))
    return `${id}: expected its weights at ${packagedWeights(id)}, where there are none; install the package again, or give --weights FILE`
  const packaged = cards.filter((card) => existsSync(packagedWeights(card.id))).map((card) => card.id)
  const beside = guide === undefined ? '' : ` and --guide FILE with ${guide}`
  const inside = packaged.length > 0 ? `; it has those of ${packaged.join(', ')}` : ''
  return `${id}: expected --weights FILE with the official file ${checkpoint}${beside}; the package has no weights of this model${inside}`
}

export interface GuideRequest {
  /** What errors call the network. */
  readonly weights: string
  readonly card: ModelCard | undefined
  /** A file of the caller's. */
  readonly guide: string | undefined
}

/** The file of the guide: the caller's, or the package's own; refused where it is missing, needless or another network's. */
export function findGuide(network: SamplingNetwork, request: GuideRequest): string | undefined {
  const { weights, card, guide } = request
  const need = guideNeed(network)
  if (!need) return guide === undefined ? undefined : refuseGuide(network, { weights, guide })
  const packaged = card?.guide === undefined ? undefined : packagedWeights(card.guide)
  const file = guide ?? (packaged !== undefined && existsSync(packaged) ? packaged : undefined)
  if (file === undefined) {
    const advice = card?.guide === undefined ? '' : `; give the file ${card.guide}`
    throw new RestoreError('usage', `${weights}: expected --guide FILE, ${need.words}, got none${advice}`)
  }
  checkGuide(readCheckpoint(file), need, { weights, guide: file })
  return file
}
