// The library's main call: a network that is open in a process of its own, and pictures through it.

import { availableParallelism } from 'node:os'
import { RestoreError } from '../core/errors.ts'
import { checkFormat } from '../data/codec.ts'
import { foreignProfile } from '../data/raster.ts'
import { builders } from '../registry/builders.ts'
import type { ModelCard } from '../registry/cards.ts'
import { tilingOf } from '../registry/tiling.ts'
import type { ComputeSession } from './compute.ts'
import { type DeviceRequest, nameOf, openAt, placementsFor } from './devices.ts'
import { type ReadInput, type RestoreInput, readInput } from './input.ts'
import { findModel, type ModelRequest } from './models.ts'
import { prepareNetwork } from './networks.ts'
import { planeReader, sampleWriter } from './pixels.ts'
import { planTiles, smallerSide, type TilePlan, type TileRequest } from './plan.ts'
import { type OnProgress, progressOf } from './progress.ts'
import type { Opened, Placement } from './protocol.ts'
import { RestoreResult } from './result.ts'
import { restoreInTiles } from './tile.ts'

export interface RestorerOptions extends ModelRequest, DeviceRequest, TileRequest {
  /** Options of the network that its weights do not tell. */
  readonly options?: object | undefined
  /** Threads on the processor; one for each core unless given. */
  readonly threads?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

export interface RunPictureOptions extends TileRequest {
  /** Cancels at once, in the middle of a tile too. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  /** That of the file it will be written to: refused before it is restored where it cannot hold the picture. */
  readonly format?: string | undefined
  /** What errors call an input that is no path. */
  readonly name?: string | undefined
  /** Most pixels that are decoded; 268 million by default. */
  readonly pixelLimit?: number | undefined
}

interface Open {
  readonly session: ComputeSession
  readonly placement: Placement
  readonly card: ModelCard | undefined
  /** Before the network took its part: one measure for all pictures, so that equal ones are cut alike. */
  readonly freeBytes: number
}

/** A network, open until it is closed; pictures may be given at once and are restored in turn. */
export class Restorer implements AsyncDisposable {
  readonly #open: Open
  readonly #request: TileRequest
  #limitPx: number | undefined

  private constructor(open: Open, request: TileRequest) {
    this.#open = open
    this.#request = request
  }

  /** Finds the weights, then starts a process that opens the network on the device. */
  static async open(options: RestorerOptions): Promise<Restorer> {
    const { card, weights } = findModel(options)
    const setup = {
      weights,
      options: options.options ?? {},
      threads: options.threads ?? availableParallelism(),
    }
    const freeBytes = process.availableMemory()
    options.onProgress?.({ phase: 'open', done: 0, total: 1 })
    const { session, placement } = await openAt(placementsFor(options), setup, { signal: options.signal })
    try {
      if (card) checkVariant(weights, card, session.opened)
      return new Restorer({ session, placement, card, freeBytes }, options)
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** What really computes: 'cpu', 'webgpu' or 'cuda:N'. */
  get device(): string {
    return nameOf(this.#open.placement)
  }

  /** The process that computes, while it runs. */
  get pid(): number | undefined {
    return this.#open.session.pid
  }

  get card(): ModelCard | undefined {
    return this.#open.card
  }

  /** The network that the weights are of, its options and their hash. */
  get opened(): Opened {
    return this.#open.session.opened
  }

  /** Restores a picture of any size; a failure concerns this picture alone. */
  async run(input: RestoreInput, options: RunPictureOptions = {}): Promise<RestoreResult> {
    const started = performance.now()
    options.onProgress?.({ phase: 'read', done: 0, total: 1 })
    const read = await readInput(input, options)
    if (options.format !== undefined) checkFormat(options.format, read.pixels.hasAlpha)
    if (options.signal?.aborted) throw new RestoreError('aborted', 'restore: cancelled')
    const restoring = performance.now()
    const { pixels, plan } = await this.#restore(read, options)
    const seconds = { read: (restoring - started) / 1000, restore: (performance.now() - restoring) / 1000 }
    const { placement, session, card } = this.#open
    const { model, sha256 } = session.opened
    const info = {
      ...{ model: card?.id ?? model, network: model, sha256 },
      ...{ device: nameOf(placement), backend: placement.backend },
      ...{ width: pixels.width, height: pixels.height, seconds },
      tiles: { count: plan.rows.starts.length * plan.columns.starts.length, px: plan.tilePx },
    }
    const { depth, metadata } = read
    const format = options.format ?? read.format
    return new RestoreResult({ pixels, depth, format, metadata, info })
  }

  async close(): Promise<void> {
    await this.#open.session.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Tries again from the start with smaller tiles where memory did not suffice, so that no seam tells where. */
  async #restore(read: ReadInput, options: RunPictureOptions) {
    const { model } = this.#open.session.opened
    for (;;) {
      const plan = this.#plan(read, options)
      try {
        return { plan, pixels: await this.#restoreBy(plan, read, options) }
      } catch (error) {
        const isAuto = (options.tile ?? this.#request.tile ?? 'auto') === 'auto'
        const smaller = smallerSide(plan, builders[model].size.multipleOf)
        const canShrink = isAuto && smaller !== undefined && builders[model].window === undefined
        if (!(error instanceof RestoreError && error.code === 'memory' && canShrink)) throw error
        this.#limitPx = smaller
      }
    }
  }

  #plan({ pixels }: ReadInput, options: RunPictureOptions): TilePlan {
    const { model, options: network } = this.#open.session.opened
    const builder = builders[model]
    const planned = {
      ...{ width: pixels.width, height: pixels.height, builder, tiling: tilingOf(model) },
      ...{ window: builder.window?.(network), scale: builder.scale(network) },
      ...{ freeBytes: this.#open.freeBytes, limitPx: this.#limitPx },
    }
    return planTiles(planned, {
      tile: options.tile ?? this.#request.tile,
      overlap: options.overlap ?? this.#request.overlap,
      blend: options.blend ?? this.#request.blend,
    })
  }

  async #restoreBy(plan: TilePlan, { pixels, depth, metadata }: ReadInput, options: RunPictureOptions) {
    const { session } = this.#open
    const { model, options: network } = session.opened
    const { channels, scale } = builders[model]
    const padded = { height: plan.rows.length, width: plan.columns.length }
    const picture = { ...padded, read: planeReader(pixels, channels(network).input, padded) }
    // Samples that go back to a profile are kept in 16 bits, so that they are rounded once.
    const isDeep = depth === 16 || foreignProfile(metadata?.icc, pixels.channels) !== undefined
    const writer = sampleWriter(pixels, scale(network), isDeep)
    const run = await prepareNetwork(model)(session, picture, options)
    const onTile = progressOf('restore', options.onProgress)
    await restoreInTiles({
      ...{ rows: plan.rows, columns: plan.columns, batch: plan.batch, scale: scale(network) },
      ...{ read: picture.read, run, emit: writer.emit, onTile },
    })
    return writer.pixels
  }
}

/** Opens a network, from a model's id or from weights. */
export function createRestorer(options: RestorerOptions): Promise<Restorer> {
  return Restorer.open(options)
}

/** Restores one picture; for several, {@link createRestorer} opens the network once. */
export async function restore(
  input: RestoreInput,
  options: RestorerOptions & RunPictureOptions,
): Promise<RestoreResult> {
  const restorer = await createRestorer(options)
  try {
    return await restorer.run(input, options)
  } finally {
    await restorer.close()
  }
}

/** Weights of another variant would run and restore nothing: every option that the card's variant fixes must be theirs. */
function checkVariant(weights: string, card: ModelCard, { model, options }: Opened): void {
  const wanted = { ...builders[card.model].defaults, ...card.options }
  const differing = Object.entries(wanted).filter(([name, value]) => {
    return JSON.stringify(Reflect.get(options, name)) !== JSON.stringify(value)
  })
  if (model === card.model && differing.length === 0) return
  const difference = differing
    .map(([name, value]) => `${name} ${value}, got ${Reflect.get(options, name)}`)
    .join('; ')
  throw new RestoreError(
    'checkpoint',
    `${weights}: expected weights of ${card.id} with ${difference}; try another --model, or none`,
  )
}
