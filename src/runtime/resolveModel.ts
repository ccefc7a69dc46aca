// Resolves a request to weights: packaged ones by model or task, or the caller's own file.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { isOnnxFile } from '../checkpoints/onnxFiles.ts'
import { RestoreError } from '../core/errors.ts'
import { packageFolder } from '../data/packageFiles.ts'
import { findStored, isStored } from '../downloads/store.ts'
import { licenses } from '../models/modelCard.ts'
import type { NetworkDescription } from '../models/networkDescriptor.ts'
import { cards, figureOf, findCard, isOwn, type ModelCard } from '../registry/cards.ts'
import { downloads, gains, mayBeDefault, termsOf } from '../registry/downloads.ts'
import { recognize } from '../registry/loadModel.ts'
import { cardOptions, rejectForGraph } from './checkRequest.ts'
import { checkContradictions, defaultCard, taskOptions } from './modelChoice.ts'
import { checkGuide, describeGuide, rejectGuide, requiredGuide } from './sampling/guide.ts'

/** Options that select the weights. */
export interface ModelRequest {
  /** Id of a model card; `limpid models` lists them. */
  readonly model?: string | undefined
  /** Checkpoint or ONNX file to use instead of packaged weights. */
  readonly weights?: string | undefined
  /**
   * Which tensors of `weights` to use where a file holds several sets: keys of dictionaries and the beginning of
   * keys, joined by dots, such as `state_dict.generator`.
   * @default averaged weights if there are any, else the only set
   */
  readonly tensors?: string | undefined
  /**
   * Picks the default model of a task; for weights that hold several tasks, the one to run.
   * @default 'photo'; 'upscale' with a scale above 1
   */
  readonly task?: string | undefined
  /** Output side divided by input side, 1..8, for tasks that enlarge. */
  readonly scale?: number | undefined
  /**
   * 'fetched' takes a fetched model that is better for the task than the package's, if there is one for any use; others are
   * taken by `model` alone.
   * @default 'packaged'
   */
  readonly prefer?: 'packaged' | 'fetched' | undefined
}

/** Weights file of a request. */
export interface ResolvedModel {
  readonly card: ModelCard | undefined
  readonly weights: string
  /** Whether they are an ONNX file, which is its own network. */
  readonly isGraph: boolean
  /** Which tensors of the file. */
  readonly tensors: string | undefined
  /** Network options that replace those the weights imply. */
  readonly overrides: object
}

/** Path of a card's weights in the package. */
export function packagedWeights(id: string): string {
  return join(packageFolder(), 'weights', `${id}.safetensors`)
}

/** Whether the package holds a model, or all its files have been fetched. */
export function isAvailable(id: string): boolean {
  return existsSync(packagedWeights(id)) || isFetched(id)
}

function isFetched(id: string): boolean {
  return downloads.find((one) => one.id === id)?.files.every(isStored) === true
}

/**
 * Resolves a request to a card and a weights file.
 * @throws RestoreError 'usage' where the package holds no weights of the model, or the options contradict
 * each other
 */
export function resolveModel(request: ModelRequest): ResolvedModel {
  const { model, weights, tensors, task } = request
  if (tensors !== undefined && weights === undefined)
    throw new RestoreError(
      'usage',
      `tensors: expected weights, a file with several sets of tensors, got none for ${tensors}; pass --weights FILE, or leave it out`,
    )
  // A file that is missing is reported when it is opened, after mistakes in the request itself.
  const isGraph = weights !== undefined && existsSync(weights) && isOnnxFile(weights)
  if (isGraph) {
    rejectForGraph(weights, { model, tensors, task })
    return { card: undefined, weights, isGraph, tensors, overrides: {} }
  }
  if (model === undefined && weights !== undefined) {
    const overrides = task === undefined ? {} : taskOverride(readCheckpoint(weights, { tensors }), task)
    return { card: undefined, weights, isGraph, tensors, overrides }
  }
  const card = model === undefined ? chosenCard(request) : findCard(model)
  checkContradictions(card, request)
  const overrides = { ...cardOptions(card), ...(task === undefined ? {} : taskOptions(card.model, task)) }
  const packaged = packagedWeights(card.id)
  if (weights !== undefined) return { card, weights, isGraph, tensors, overrides }
  if (existsSync(packaged)) return { card, weights: packaged, isGraph, tensors, overrides }
  const fetched = fetchedFile(card.id, 0)
  if (fetched === undefined) throw new RestoreError('usage', missingWeights(card))
  if (model === undefined && !mayBeDefault(card))
    throw new RestoreError(
      'usage',
      `${card.task}: expected --model ${card.id}, since its weights are for non-commercial use only, got no model; name it`,
    )
  return { card, weights: fetched, isGraph, tensors, overrides }
}

/** Path of a file that `limpid fetch` fetched for a model: its weights, or its guide. */
function fetchedFile(id: string, index: 0 | 1): string | undefined {
  const file = downloads.find((one) => one.id === id)?.files[index]
  return file && findStored(file, id)
}

/** Selects the task of weights that hold several. @throws RestoreError 'usage' for weights with one task */
function taskOverride(checkpoint: Checkpoint, task: string): object {
  const { id, options } = recognize(checkpoint)
  const selected = taskOptions(id, task)
  if (selected) return selected
  if (Object.hasOwn(options, 'task')) return { task }
  throw new RestoreError(
    'usage',
    `task: expected weights that hold several tasks, got ${checkpoint.name} of ${id}, which has one; leave --task out`,
  )
}

/** The default of the task, or a fetched model that is preferred to it. */
function chosenCard({ task, scale, prefer }: ModelRequest): ModelCard {
  const card = defaultCard(task, scale)
  if (prefer !== 'fetched') return card
  return betterFetched(task, card).find((one) => mayBeDefault(one)) ?? card
}

/** Fetched models that are known to be better for a task than the package's, the best first. */
function betterFetched(task: string | undefined, { task: ownTask }: ModelCard): readonly ModelCard[] {
  const better = gains.filter((one) => one.task === (task ?? ownTask)).map(({ model }) => findCard(model))
  return better.filter(({ id }) => isFetched(id))
}

/** Says which fetched models are better for the task of a request that names no model; undefined if none is. */
export function adviseFetched(request: ModelRequest, { card }: ResolvedModel): string | undefined {
  if (request.model !== undefined || request.weights !== undefined || card === undefined) return undefined
  const [best] = betterFetched(request.task, card).filter(({ id }) => id !== card.id)
  const gain = gains.find(({ model }) => model === best?.id)
  if (!best || !gain) return undefined
  const { packaged } = gain
  const than = packaged ? `, ${packaged.model} ${packaged.psnr.toFixed(2)} dB` : ''
  const { set, protocol } = best.reference ?? { set: '', protocol: '' }
  const limit = licenses[best.license].isCommercial ? '' : '; for non-commercial use only'
  return `${gain.task}: fetched --model ${best.id} is better (${figureOf(best)}${than}; ${set}, ${protocol})${limit}`
}

function missingWeights({ id, checkpoint, guide }: ModelCard): string {
  if (isOwn({ id, checkpoint }))
    return `${id}: expected its weights at ${packagedWeights(id)}, got no file; reinstall the package, or pass --weights FILE`
  const packaged = cards.filter((card) => existsSync(packagedWeights(card.id))).map((card) => card.id)
  const beside = guide === undefined ? '' : ` and --guide FILE with ${guide}`
  const available = packaged.length > 0 ? `; it has those of ${packaged.join(', ')}` : ''
  const download = downloads.find((one) => one.id === id)
  const isFetchable = download?.files.every(({ address }) => address !== undefined)
  const command = download && isFetchable ? `, or those of \`limpid fetch ${id}\` (${termsOf(download)})` : ''
  return `${id}: expected --weights FILE with the official file ${checkpoint}${beside}${command}; the package has no weights of this model${available}`
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
  readonly checkpoint: Checkpoint
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
  const own = packaged !== undefined && existsSync(packaged) ? packaged : undefined
  const file = guide ?? own ?? (card && fetchedFile(card.id, 1))
  if (file === undefined) {
    const advice = card?.guide === undefined ? '' : `; pass the file ${card.guide}`
    throw new RestoreError(
      'usage',
      `${weights}: expected --guide FILE, ${describeGuide(need)}, got none${advice}`,
    )
  }
  const checkpoint = readCheckpoint(file)
  return { file, checkpoint, ...checkGuide(checkpoint, need, { weights, guide: file }) }
}
