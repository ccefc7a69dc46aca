// limpid restore: the main job.

import { basename, dirname, extname, join } from 'node:path'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { checkFormat, decodeImage, encodeImage } from '../data/codec.ts'
import type { Image } from '../data/image.ts'
import { findCard, type LoadedModel, loadModel } from '../registry/builders.ts'
import { licenses, type ModelCard } from '../registry/cards.ts'
import { restoreImage } from '../runtime/restore.ts'
import { chooseTile, type TileOptions, usualOverlap } from '../runtime/tile.ts'
import { type BackendOptions, openSession } from './backends.ts'
import { writeResult } from './result.ts'
import {
  checkOutput,
  formatProgress,
  formatSeconds,
  type GlobalOptions,
  isFolder,
  parseWhole,
  printResult,
  readInput,
  reporter,
} from './shell.ts'

export interface RestoreCommandOptions extends GlobalOptions, BackendOptions {
  readonly output?: string
  readonly model?: string
  readonly weights?: string
  readonly tile: string
  readonly overlap?: string
  readonly format?: string
  readonly overwrite?: boolean
}

export async function restoreCommand(input: string, options: RestoreCommandOptions): Promise<void> {
  const { output, format } = targetOf(input, options)
  checkFormat(format, false)
  checkOutput(output, options.overwrite)
  const model = openModel(options)
  const decoded = await decodeImage(input === '-' ? readInput(input) : input)
  checkFormat(format, decoded.alpha !== undefined)
  const { width, height } = decoded.image
  const tiles = tilesOf(options, decoded.image, model)
  const session = await openSession(model, options)
  const news = reporter(options)
  const started = performance.now()
  try {
    news.show(`restoring ${input}, ${width} × ${height}`)
    const onTile = (done: number, total: number) =>
      news.show(`restoring ${input}, tile ${formatProgress(done, total, started)}`)
    const image = await restoreImage(decoded.image, model, session, { tiles, onTile })
    writeResult(output, await encodeImage({ ...decoded, image, format }))
  } finally {
    news.done()
    await session.close()
  }
  const seconds = (performance.now() - started) / 1000
  news.show(`restored in ${formatSeconds(seconds)}; ${licenses[model.builder.license].note}`)
  news.done()
  if (output !== '-') printResult(options, { input, output, model: model.id, width, height, seconds }, output)
}

/** The file to write and its format: the file named, or a name of its own in the folder named or beside the input. */
function targetOf(
  input: string,
  { output, format }: RestoreCommandOptions,
): { readonly output: string; readonly format: string } {
  const inFolder = output === undefined || output.endsWith('/') || isFolder(output)
  const chosen = format ?? ((!inFolder && extensionOf(output)) || extensionOf(input) || 'png')
  if (!inFolder) return { output, format: chosen }
  if (input === '-' && output === undefined) return { output: '-', format: chosen }
  const name = input === '-' ? 'stdin' : basename(input, extname(input))
  return { output: join(output ?? dirname(input), `${name}_restored.${chosen}`), format: chosen }
}

function extensionOf(path: string): string {
  return extname(path).slice(1).toLowerCase()
}

function tilesOf(
  { tile, overlap }: RestoreCommandOptions,
  image: Image,
  { builder }: LoadedModel,
): TileOptions | undefined {
  if (tile === 'none') return undefined
  const tilePx =
    tile === 'auto'
      ? chooseTile(image, builder.memory, process.availableMemory())
      : parseWhole('--tile', tile, 8)
  if (tilePx === undefined) return undefined
  const overlapPx =
    overlap === undefined
      ? usualOverlap(Math.min(tilePx, image.width, image.height))
      : parseWhole('--overlap', overlap, 0)
  return { tilePx, overlapPx }
}

function openModel({ model, weights }: RestoreCommandOptions): LoadedModel {
  const card = model === undefined ? undefined : findCard(model)
  if (weights === undefined) {
    const official = card
      ? `the official file ${card.checkpoint}`
      : 'any Restormer checkpoint (.pth or .safetensors)'
    throw new RestoreError(
      'usage',
      `restore: expected --weights FILE with ${official}; no weights are in the package yet`,
    )
  }
  const loaded = loadModel(readCheckpoint(weights))
  if (card) checkVariant(weights, card, loaded)
  return loaded
}

/** Weights of another variant would run and restore nothing: every option that the card's variant fixes must be theirs. */
function checkVariant(weights: string, card: ModelCard, { id, options, builder }: LoadedModel): void {
  const wanted = { ...builder.defaults, ...card.options }
  const differing = Object.entries(wanted).filter(([name, value]) => {
    return JSON.stringify(Reflect.get(options, name)) !== JSON.stringify(value)
  })
  if (id === card.model && differing.length === 0) return
  const difference = differing
    .map(([name, value]) => `${name} ${value}, got ${Reflect.get(options, name)}`)
    .join('; ')
  throw new RestoreError(
    'checkpoint',
    `${weights}: expected weights of ${card.id} with ${difference}; try another --model, or none`,
  )
}
