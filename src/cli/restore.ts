// limpid restore: the main job.

import { statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { checkFormat, decodeImage, encodeImage } from '../data/codec.ts'
import { findCard, type LoadedModel, loadModel } from '../registry/builders.ts'
import { licenses, type ModelCard } from '../registry/cards.ts'
import { restoreImage } from '../runtime/restore.ts'
import type { TileOptions } from '../runtime/tile.ts'
import { type BackendOptions, openSession } from './backends.ts'
import {
  checkOutput,
  formatProgress,
  formatSeconds,
  type GlobalOptions,
  parseWhole,
  printResult,
  readInput,
  reporter,
  writeWhole,
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
  const format = formatOf(input, options)
  checkFormat(format, false)
  const output = outputOf(input, format, options)
  checkOutput(output, options.overwrite)
  const model = openModel(options)
  const decoded = await decodeImage(input === '-' ? readInput(input) : input)
  checkFormat(format, decoded.alpha !== undefined)
  const { width, height } = decoded.image
  const tiles = tilesOf(options, width, height)
  const session = await openSession(model, options)
  const news = reporter(options)
  const started = performance.now()
  try {
    news.show(`restoring ${input}, ${width} × ${height}`)
    const onTile = (done: number, total: number) =>
      news.show(`restoring ${input}, tile ${formatProgress(done, total, started)}`)
    const image = await restoreImage(decoded.image, model, session, { tiles, onTile })
    writeWhole(output, await encodeImage({ ...decoded, image, format }))
  } finally {
    news.done()
    await session.close()
  }
  const seconds = (performance.now() - started) / 1000
  news.show(`restored in ${formatSeconds(seconds)}; ${licenses[model.builder.license].note}`)
  news.done()
  if (output !== '-') printResult(options, { input, output, model: model.id, width, height, seconds }, output)
}

/** Where the result goes: the file named, a name of its own in the folder named, or beside the input. */
function outputOf(input: string, format: string, { output }: RestoreCommandOptions): string {
  if (input === '-') return output ?? '-'
  const name = `${basename(input, extname(input))}_restored.${format}`
  if (output === undefined) return join(dirname(input), name)
  return statSync(output, { throwIfNoEntry: false })?.isDirectory() ? join(output, name) : output
}

function formatOf(input: string, { format, output }: RestoreCommandOptions): string {
  const named =
    format ??
    extname(output ?? '')
      .slice(1)
      .toLowerCase()
  return named || extname(input).slice(1).toLowerCase() || 'png'
}

/** Above this the whole image at once would need several gigabytes: its widest maps take 4 KB a pixel. */
const wholeImagePixels = 1024 * 1024
const autoTile = { tilePx: 512, overlapPx: 32 }

function tilesOf(
  { tile, overlap }: RestoreCommandOptions,
  width: number,
  height: number,
): TileOptions | undefined {
  if (tile === 'none') return undefined
  if (tile === 'auto') {
    // Tiles are square, so a strip narrower than their overlap stays whole.
    const isSmall = width * height <= wholeImagePixels || Math.min(width, height) <= 2 * autoTile.overlapPx
    return isSmall ? undefined : autoTile
  }
  const tilePx = parseWhole('--tile', tile, 8)
  const overlapPx =
    overlap === undefined ? Math.min(32, Math.floor(tilePx / 4)) : parseWhole('--overlap', overlap, 0)
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
