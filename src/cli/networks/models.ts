// limpid models: the cards, and whether the weights of one are sound.

import { existsSync, statSync } from 'node:fs'
import { hashFile } from '../../checkpoints/files.ts'
import { type ErrorCode, RestoreError } from '../../core/errors.ts'
import { unknownName } from '../../core/unknownName.ts'
import { isStored, storedPath } from '../../downloads/store.ts'
import { licenses } from '../../models/modelCard.ts'
import { defaultTasksOf, detection, type TaskId } from '../../models/tasks.ts'
import { cards, figureOf, findCard, findTask, type ModelCard } from '../../registry/cards.ts'
import { downloads, formatBytes, type Gain, gains, sizeOf } from '../../registry/downloads.ts'
import { loadModel } from '../../registry/loadModel.ts'
import { checkVariant } from '../../runtime/checkRequest.ts'
import { packagedWeights, resolveModel } from '../../runtime/resolveModel.ts'
import type { ListOptions, VerifyOptions } from '../commands/networks.ts'
import type { Failure } from '../io/conclude.ts'
import { type GlobalOptions, printResult } from '../io/shell.ts'
import { readWeights } from './readWeights.ts'

/** @param words what follows the command, which takes nothing: the slip of another command's name */
export function listModels(words: readonly string[], options: ListOptions): void {
  const [slip] = words
  if (slip !== undefined) throw unknownName('command of models', slip, ['list', 'show', 'verify'])
  const task = options.task === undefined ? undefined : listedTask(options.task)
  const isFor = (card: ModelCard) =>
    task === undefined || card.task === task || defaultTasksOf(card.id).includes(task)
  if (options.available) listAvailable(options, isFor)
  else listUsable(options, isFor, task)
}

/** Prints the models of the package, those that have been fetched, and the official ones. */
function listUsable(
  options: ListOptions,
  isFor: (card: ModelCard) => boolean,
  task: string | undefined,
): void {
  const isHere = (card: ModelCard) => isPackaged(card) || isFetched(card)
  const listed: readonly ModelCard[] = cards
    .filter((card) => isFor(card) && (card.author === undefined || isHere(card)))
    .toSorted(
      (a, b) => Number(isPackaged(b)) - Number(isPackaged(a)) || Number(isHere(b)) - Number(isHere(a)),
    )
  const rows = tableOf(listed.map((card) => [card.id, taskOf(card), whereabouts(card), purposeOf(card)]))
  const better = gains.filter((gain) => task === undefined || gain.task === task)
  const gainRows = tableOf(
    better.map((gain) => [gain.task, `limpid fetch ${gain.model}`, describeGain(gain)]),
  )
  const text = [
    ...rows,
    ...(gainRows.length > 0 ? ['', 'better than the package:', ...gainRows] : []),
    '',
    `${downloads.length} models can be fetched: limpid models --available`,
  ]
  printResult(options, { models: listed.map(described), gains: better }, text.join('\n'))
}

/** Prints what `limpid fetch` knows. */
function listAvailable(options: ListOptions, isFor: (card: ModelCard) => boolean): void {
  const listed = downloads.filter(({ card }) => (card ? isFor(card) : options.task === undefined))
  const rows = tableOf(
    listed.map((one) => {
      const { id, card, title, author, license, files } = one
      const size = sizeOf(one)
      const state = files.every(isStored)
        ? 'fetched'
        : files.every(({ address }) => address !== undefined)
          ? ''
          : 'by hand'
      const purpose = card ? purposeOf(card) : title
      const terms = licenses[license].title
      return [
        id,
        card ? taskOf(card) : 'metric',
        state,
        size === undefined ? '?' : formatBytes(size),
        terms,
        `${purpose}; ${author}`,
      ]
    }),
  )
  const models = listed.map(({ card, ...one }) => ({
    ...one,
    task: card?.task,
    scale: card?.scale,
    network: card?.model,
    reference: card?.reference,
    mayInvent: card?.mayInvent === true,
    isCommercial: licenses[one.license].isCommercial,
    isFetched: one.files.every(isStored),
  }))
  printResult(options, { models }, rows.join('\n'))
}

/** Lines with columns of one width, but for the last. */
function tableOf(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows.map((row) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '),
  )
}

function isPackaged({ id }: ModelCard): boolean {
  return existsSync(packagedWeights(id))
}

function isFetched({ id }: ModelCard): boolean {
  return downloads.find((one) => one.id === id)?.files.every(isStored) === true
}

function taskOf({ task, scale }: ModelCard): string {
  return `${task}${scale > 1 ? ` ×${scale}` : ''}`
}

function purposeOf(card: ModelCard): string {
  const parts = [card.title, figureOn(card), restrictionOf(card), card.mayInvent ? 'may invent detail' : '']
  return parts.filter((part) => part !== '').join('; ')
}

function describeGain({ model, packaged }: Gain): string {
  const card = findCard(model)
  const than = packaged ? `${packaged.model} ${packaged.psnr.toFixed(2)} dB` : 'none in the package'
  return [`${figureOn(card)}, ${card.reference?.protocol ?? ''}; ${than}`, restrictionOf(card)]
    .filter((part) => part !== '')
    .join('; ')
}

function listedTask(name: string): TaskId | typeof detection.id {
  return name === detection.id ? name : findTask(name)
}

/** Where the weights are; size and speed of packaged ones. */
function whereabouts(card: ModelCard): string {
  const { id, checkpoint, secondsPerMegapixel } = card
  const packaged = packagedWeights(id)
  if (isFetched(card)) return 'fetched'
  if (!existsSync(packaged)) return checkpoint
  const size = `${(statSync(packaged).size / 1e6).toFixed(1)} MB`
  const speed = secondsPerMegapixel === undefined ? '' : `, ${secondsPerMegapixel} s/MP`
  return `in the package, ${size}${speed}`
}

function figureOn(card: ModelCard): string {
  return card.reference ? `${figureOf(card)} on ${card.reference.set}` : ''
}

/** Told wherever a model is named that not everybody may use. */
function restrictionOf({ license }: ModelCard): string {
  return licenses[license].isCommercial ? '' : 'non-commercial'
}

function described(card: ModelCard) {
  const defaultFor = defaultTasksOf(card.id)
  return { ...card, isPackaged: isPackaged(card), isFetched: isFetched(card), defaultFor }
}

export function showModel(id: string, options: GlobalOptions): void {
  const card = findCard(id)
  const { reference, training } = card
  const { title, note } = licenses[card.license]
  const { defaultFor } = described(card)
  const usual = defaultFor.length > 0 ? `; the default for ${defaultFor.join(', ')}` : ''
  const rows = [
    `${card.id}: ${card.title}`,
    `task      ${taskOf(card)}${usual}`,
    `weights   ${weightsOf(card)}`,
    ...(card.author === undefined ? [] : [`author    ${card.author}`]),
    ...(card.mayInvent ? ['caution   results may show detail that was never there'] : []),
    ...(reference
      ? [`${reference.command ? 'measured ' : 'published'} ${figureOn(card)} (${reference.protocol})`]
      : []),
    ...(reference?.command ? [`          ${reference.command}`] : []),
    ...(training ? [`data      ${training.data}`, `training  ${training.command}`] : []),
    `paper     ${card.paper}`,
    `license   ${note.includes(title) ? note : `${title}. ${note}`}`,
  ]
  printResult(options, described(card), rows.join('\n'))
}

/** Where the weights of a model are, or how to get them. */
function weightsOf(card: ModelCard): string {
  const { id, version, guide, checkpoint } = card
  if (isPackaged(card))
    return `${[whereabouts(card), ...(version === undefined ? [] : [`version ${version}`])].join(', ')}: ${packagedWeights(id)}`
  const download = downloads.find((one) => one.id === id)
  if (download && isFetched(card)) return `fetched: ${download.files.map(storedPath).join(', ')}`
  const beside = guide === undefined ? '' : ` --guide FILE, which is ${guide}`
  const byHand = `restore --model ${id} --weights FILE${beside}`
  const isFetchable = download?.files.every(({ address }) => address !== undefined)
  return `${checkpoint} (not in the package: ${isFetchable ? `limpid fetch ${id}, or ` : ''}${byHand})`
}

interface Check {
  readonly id: string | undefined
  readonly weights: string
  readonly sha256?: string
  readonly network?: string
  readonly code?: ErrorCode
  readonly error?: string
}

/**
 * Hash and strict loading of given weights, of a packaged model, or of all that are packaged; exit code 1
 * where one is wrong.
 */
export function verifyModels(id: string | undefined, options: VerifyOptions): void {
  const wanted: readonly (string | undefined)[] =
    id !== undefined || options.weights !== undefined
      ? [id]
      : cards.filter((card) => isPackaged(card) || isFetched(card)).map((card) => card.id)
  if (wanted.length === 0) {
    throw new RestoreError(
      'usage',
      'models verify: expected weights in the package, got none; give --weights FILE',
    )
  }
  const checks = wanted.map((model) => verify(model, options))
  const lines = checks.map(({ id: name, weights, network, sha256, error }) => {
    const label = name ?? weights
    return error === undefined ? `ok     ${label}: ${network}, sha256 ${sha256}` : `wrong  ${label}: ${error}`
  })
  const failures = checks.flatMap(({ weights, code, error }): Failure[] =>
    error === undefined || code === undefined ? [] : [{ input: weights, code, message: error }],
  )
  printResult(options, { checks, failures }, lines.join('\n'), { hasMarks: true })
  if (failures.length > 0) process.exitCode = 1
}

function verify(model: string | undefined, options: VerifyOptions): Check {
  const { weights: given, tensors } = options
  let check = { id: model, weights: given ?? model ?? '' }
  try {
    const { card, weights, overrides } = resolveModel({ model, weights: given, tensors })
    check = { id: card?.id, weights }
    const sha256 = hashFile(weights)
    // The hash is that of the package's own file.
    if (given === undefined && card?.sha256 !== undefined && card.sha256 !== sha256) {
      const error = `expected a file of sha256 ${card.sha256}, got ${sha256}; install the package again`
      return { ...check, sha256, code: 'checkpoint', error }
    }
    const loaded = loadModel(readWeights(weights, options), overrides)
    if (card) checkVariant({ weights, card, overrides }, loaded)
    return { ...check, sha256, network: loaded.id }
  } catch (error) {
    if (!(error instanceof RestoreError) || error.code === 'usage') throw error
    return { ...check, code: error.code, error: error.message }
  }
}
