// limpid models: the cards, and whether the weights of one are sound.

import { existsSync } from 'node:fs'
import { hashFile, readCheckpoint } from '../../checkpoints/files.ts'
import { RestoreError } from '../../core/errors.ts'
import { licenses } from '../../models/modelCard.ts'
import { isDefaultModel } from '../../models/tasks.ts'
import { cards, figureOf, findCard, findTask, type ModelCard } from '../../registry/cards.ts'
import { loadModel } from '../../registry/loadModel.ts'
import { checkVariant } from '../../runtime/checkRequest.ts'
import { packagedWeights, resolveModel } from '../../runtime/resolveModel.ts'
import type { ListOptions, VerifyOptions } from '../commands/networks.ts'
import { type GlobalOptions, green, printResult, red } from '../io/shell.ts'

export function listModels(options: ListOptions): void {
  const task = options.task === undefined ? undefined : findTask(options.task)
  const listed: readonly ModelCard[] = cards.filter((card) => task === undefined || card.task === task)
  const columns = listed.map((card): readonly string[] => [
    card.id,
    `${card.task}${card.scale > 1 ? ` ×${card.scale}` : ''}`,
    existsSync(packagedWeights(card.id)) ? 'in the package' : card.checkpoint,
    [card.title, figureOn(card), restrictionOf(card)].filter((part) => part !== '').join('; '),
  ])
  const widths = [0, 1, 2].map((column) => Math.max(...columns.map((row) => row[column]?.length ?? 0)))
  const rows = columns.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '))
  printResult(options, { models: listed.map(described) }, rows.join('\n'))
}

function figureOn(card: ModelCard): string {
  return card.reference ? `${figureOf(card)} on ${card.reference.set}` : ''
}

/** Told wherever a model is named that not everybody may use. */
function restrictionOf({ license }: ModelCard): string {
  return licenses[license].isCommercial ? '' : 'non-commercial'
}

function described(card: ModelCard) {
  return { ...card, isPackaged: existsSync(packagedWeights(card.id)), isDefault: isDefaultModel(card) }
}

export function showModel(id: string, options: GlobalOptions): void {
  const card = findCard(id)
  const { reference, training, scale, task } = card
  const { title, note } = licenses[card.license]
  const { isPackaged, isDefault } = described(card)
  const guide = card.guide === undefined ? '' : ` --guide FILE, which is ${card.guide}`
  const usual = isDefault ? ', the default for it' : ''
  const rows = [
    `${card.id}: ${card.title}`,
    `task      ${task}${scale > 1 ? ` ×${scale}` : ''}${usual}`,
    isPackaged
      ? `weights   in the package: ${packagedWeights(id)}`
      : `weights   ${card.checkpoint} (not in the package: restore --model ${id} --weights FILE${guide})`,
    ...(reference
      ? [`${reference.command ? 'measured ' : 'published'} ${figureOn(card)} (${reference.protocol})`]
      : []),
    ...(reference?.command ? [`          ${reference.command}`] : []),
    ...(training ? [`data      ${training.data}`, `training  ${training.command}`] : []),
    `paper     ${card.paper}`,
    `license   ${title}. ${note}`,
  ]
  printResult(options, described(card), rows.join('\n'))
}

interface Check {
  readonly id: string | undefined
  readonly weights: string
  readonly sha256?: string
  readonly network?: string
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
      : cards.map((card) => card.id).filter((name) => existsSync(packagedWeights(name)))
  if (wanted.length === 0) {
    throw new RestoreError(
      'usage',
      'models verify: expected weights in the package, got none; give --weights FILE',
    )
  }
  const checks = wanted.map((model) => verify(model, options.weights))
  const lines = checks.map(({ id: name, weights, network, sha256, error }) => {
    const label = name ?? weights
    return error === undefined
      ? `${green('ok   ')}  ${label}: ${network}, sha256 ${sha256}`
      : `${red('wrong')}  ${label}: ${error}`
  })
  printResult(options, { checks }, lines.join('\n'))
  if (checks.some(({ error }) => error !== undefined)) process.exitCode = 1
}

function verify(model: string | undefined, given: string | undefined): Check {
  const { card, weights, overrides } = resolveModel({ model, weights: given })
  const check = { id: card?.id, weights }
  try {
    const sha256 = hashFile(weights)
    // The hash is that of the package's own file.
    if (given === undefined && card?.sha256 !== undefined && card.sha256 !== sha256) {
      const error = `expected a file of sha256 ${card.sha256}, got ${sha256}; install the package again`
      return { ...check, sha256, error }
    }
    const loaded = loadModel(readCheckpoint(weights), overrides)
    if (card) checkVariant({ weights, card, overrides }, loaded)
    return { ...check, sha256, network: loaded.id }
  } catch (error) {
    if (!(error instanceof RestoreError)) throw error
    return { ...check, error: error.message }
  }
}
