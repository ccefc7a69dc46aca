// limpid restore: the main job.

import { basename, dirname, extname, join } from 'node:path'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { decodeImage, encodeImage } from '../data/codec.ts'
import { findCard, type LoadedModel, loadModel } from '../registry/builders.ts'
import { licenses } from '../registry/cards.ts'
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
  readonly overlap: string
  readonly format?: string
  readonly overwrite?: boolean
}

export async function restoreCommand(input: string, options: RestoreCommandOptions): Promise<void> {
  const format = formatOf(input, options)
  const output =
    options.output ??
    (input === '-' ? '-' : join(dirname(input), `${basename(input, extname(input))}_restored.${format}`))
  checkOutput(output, options.overwrite)
  const tiles = tilesOf(options)
  const model = openModel(options)
  const decoded = await decodeImage(input === '-' ? readInput(input) : input)
  const session = await openSession(model, options)
  const news = reporter(options)
  const started = performance.now()
  const { width, height } = decoded.image
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

function formatOf(input: string, { format, output }: RestoreCommandOptions): string {
  const named =
    format ??
    extname(output ?? '')
      .slice(1)
      .toLowerCase()
  return named || extname(input).slice(1).toLowerCase() || 'png'
}

function tilesOf({ tile, overlap }: RestoreCommandOptions): TileOptions | undefined {
  if (tile === 'none') return undefined
  return { tilePx: parseWhole('--tile', tile, 8), overlapPx: parseWhole('--overlap', overlap, 0) }
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
  const differing = Object.entries(card?.options ?? {}).filter(
    ([name, value]) => Reflect.get(loaded.options, name) !== value,
  )
  if (card && (loaded.id !== card.model || differing.length > 0)) {
    const wanted = differing.map(([name, value]) => `${name} ${value}`).join(', ')
    throw new RestoreError(
      'checkpoint',
      `${weights}: expected weights of ${card.id} (${wanted}); try another --model, or none`,
    )
  }
  return loaded
}
