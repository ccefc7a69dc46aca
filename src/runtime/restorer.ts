// The library's main call: a network that is open in a process of its own, and pictures through it.

import { availableParallelism } from 'node:os'
import { RestoreError } from '../core/errors.ts'
import { checkFormat } from '../data/codec.ts'
import type { Image, Pixels } from '../data/image.ts'
import { foreignProfile } from '../data/raster.ts'
import { builders } from '../registry/builders.ts'
import type { ModelCard } from '../registry/cards.ts'
import { tilingOf } from '../registry/tiling.ts'
import { mixed } from './enlarge.ts'
import { type RestoreInput, readInput } from './input.ts'
import { checkVariant, findModel, type ModelRequest } from './models.ts'
import { opacityOf, setOpacity, visibleColors } from './opacity.ts'
import {
  type Extent,
  imageReader,
  imageWriter,
  type Picture,
  planeReader,
  type ReadPart,
  sampleWriter,
} from './pixels.ts'
import { type OnProgress, progressOf } from './progress.ts'
import { type RestoreInfo, RestoreResult } from './result.ts'
import type { ComputeSession } from './session/compute.ts'
import { type DeviceRequest, nameOf, openAt, placementsFor } from './session/devices.ts'
import type { Opened, Placement } from './session/protocol.ts'
import { chop } from './tiles/chop.ts'
import { prepareNetwork, windowRunner } from './tiles/networks.ts'
import { planTiles, smallerSide, type TilePlan, type TileRequest } from './tiles/plan.ts'
import { prepareEnsemble } from './tiles/selfEnsemble.ts'
import { restoreInTiles, type TileJob } from './tiles/tile.ts'

export interface RestorerOptions extends ModelRequest, DeviceRequest, TileRequest {
  /** Options of the network that its weights do not tell. */
  readonly options?: object | undefined
  /** Threads on the processor; its part of the cores unless given. */
  readonly threads?: number | undefined
  /** Restorers that will be open beside one another, this one included: each takes its part of cores and memory. */
  readonly shares?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

export interface RunPictureOptions extends TileRequest {
  /** Mean over all flips and transposes of the picture: a little better, eight times as long. */
  readonly selfEnsemble?: boolean | undefined
  /** Part of the restoration in the result, 0 to 1; the rest is the picture as it was. */
  readonly strength?: number | undefined
  /** Opacity as it was (enlarged where the picture is), or restored as a grey picture; 'keep' by default. */
  readonly opacity?: 'keep' | 'restore' | undefined
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

/** Reads a picture and keeps its result, for one try. */
interface Attempt {
  readonly read: ReadPart
  readonly emit: TileJob['emit']
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
    const { card, weights, options: told } = findModel(options)
    const { shares = 1 } = options
    const given = { ...told, ...options.options }
    const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / shares))
    const setup = { weights, options: given, threads }
    const freeBytes = process.availableMemory() / shares
    options.onProgress?.({ phase: 'open', done: 0, total: 1 })
    const { session, placement } = await openAt(placementsFor(options), setup, { signal: options.signal })
    try {
      const { opened } = session
      if (card) checkVariant({ weights, card, given }, opened)
      // Refuses a network that does not restore by itself, and a task that its weights lack, before any picture.
      prepareNetwork(opened.model)
      const scale = builders[opened.model].scale(opened.options)
      if (options.scale !== undefined && options.scale !== scale) {
        const wanted = `expected ${scale}, which ${weights} is for, got ${options.scale}`
        throw new RestoreError('usage', `scale: ${wanted}; leave it out, or use other weights`)
      }
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
    checkStrength(options.strength)
    options.onProgress?.({ phase: 'read', done: 0, total: 1 })
    const read = await readInput(input, options)
    if (options.format !== undefined) checkFormat(options.format, read.pixels.hasAlpha)
    if (options.signal?.aborted) throw new RestoreError('aborted', 'restore: cancelled')
    const restoring = performance.now()
    // Samples that go back to a profile are kept in 16 bits, so that they are rounded once.
    const isDeep = read.depth === 16 || foreignProfile(read.metadata?.icc, read.pixels.channels) !== undefined
    const { pixels, tiles } = await this.#restorePixels(read.pixels, isDeep, options)
    const opacity = options.opacity === 'restore' ? opacityOf(read.pixels) : undefined
    if (opacity) setOpacity(pixels, (await this.#restorePixels(opacity, isDeep, options)).pixels)
    const seconds = { read: (restoring - started) / 1000, restore: (performance.now() - restoring) / 1000 }
    const { placement, session, card } = this.#open
    const { model, sha256 } = session.opened
    const info = {
      ...{ model: card?.id ?? model, network: model, sha256 },
      ...{ device: nameOf(placement), backend: placement.backend },
      ...{ width: pixels.width, height: pixels.height, scale: this.scale, seconds, tiles },
    }
    const { depth, metadata } = read
    const format = options.format ?? read.format
    return new RestoreResult({ pixels, depth, format, metadata, info })
  }

  /** Restores planes [c h w] as the network has them, neither clamped nor rounded: to measure, or to go on with. */
  async runPlanes(image: Image, options: Omit<RunPictureOptions, 'format' | 'name' | 'pixelLimit'> = {}) {
    const { model, options: network } = this.opened
    const { attempt } = await this.#restore(image, options, (padded, wanted, scale) => {
      const { output } = builders[model].channels(network)
      return { read: imageReader(image, wanted, padded), ...imageWriter(image, scale, output) }
    })
    return attempt.image
  }

  /** Side of a result over that of its picture. */
  get scale(): number {
    const { model, options } = this.opened
    return builders[model].scale(options)
  }

  async close(): Promise<void> {
    await this.#open.session.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #restorePixels(picture: Pixels, isDeep: boolean, options: RunPictureOptions) {
    const seen = visibleColors(picture)
    const { attempt, tiles } = await this.#restore(picture, options, (padded, wanted, scale) => {
      return { read: planeReader(seen, wanted, padded), ...sampleWriter(picture, scale, isDeep) }
    })
    return { pixels: attempt.pixels, tiles }
  }

  /** Tries again from the start with smaller tiles where memory did not suffice, so that no seam tells where. */
  async #restore<T extends Attempt>(
    picture: Extent,
    options: RunPictureOptions,
    begin: (padded: Extent, channels: number, scale: number) => T,
  ): Promise<{ readonly attempt: T; readonly tiles: RestoreInfo['tiles'] }> {
    const { model, options: network } = this.opened
    for (;;) {
      const plan = this.#plan(picture, options)
      try {
        const padded = { height: plan.rows.length, width: plan.columns.length }
        const attempt = begin(padded, builders[model].channels(network).input, this.scale)
        const tiles = await this.#restoreBy(plan, { ...padded, ...attempt }, options)
        return { attempt, tiles: { count: tiles, px: plan.tilePx } }
      } catch (error) {
        const isAuto = (options.tile ?? this.#request.tile ?? 'auto') === 'auto'
        const smaller = smallerSide(plan, builders[model].size.multipleOf)
        const canShrink = isAuto && smaller !== undefined && builders[model].window === undefined
        if (!(error instanceof RestoreError && error.code === 'memory' && canShrink)) throw error
        this.#limitPx = smaller
      }
    }
  }

  #plan({ width, height }: Extent, options: RunPictureOptions): TilePlan {
    const { model, options: network } = this.opened
    const builder = builders[model]
    const planned = {
      ...{ width, height, builder, tiling: tilingOf(model) },
      ...{ window: builder.window?.(network), scale: this.scale },
      ...{ freeBytes: this.#open.freeBytes, limitPx: this.#limitPx },
    }
    return planTiles(planned, {
      tile: options.tile ?? this.#request.tile,
      overlap: options.overlap ?? this.#request.overlap,
      blend: options.blend ?? this.#request.blend,
    })
  }

  /** How many tiles it took. */
  async #restoreBy(plan: TilePlan, attempt: Picture & Attempt, options: RunPictureOptions): Promise<number> {
    const { model, options: network } = this.opened
    const { session } = this.#open
    const { scale } = this
    const { strength = 1 } = options
    const prepare = (picture: Picture) => prepareNetwork(model)(session, picture, options)
    const restored = await (options.selfEnsemble ? prepareEnsemble(prepare, attempt) : prepare(attempt))
    const run = mixed(restored, strength, scale)
    const tell = progressOf('restore', options.onProgress, attempt.width * attempt.height)
    let count = 0
    const onTile = (done: number, total: number) => {
      count = total
      tell(done, total)
    }
    const windowPx = builders[model].window?.(network)
    if (windowPx !== undefined && (options.blend ?? this.#request.blend) === 'official') {
      const whole = attempt.read(0, 0, attempt.height, attempt.width)
      const inWindows = { windowPx, scale, batch: plan.batch, onWindow: onTile }
      attempt.emit(0, await chop(whole, windowRunner(run), inWindows))
      return count
    }
    await restoreInTiles({
      ...{ rows: plan.rows, columns: plan.columns, batch: plan.batch, scale },
      ...{ read: attempt.read, run, emit: attempt.emit, onTile },
    })
    return count
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

function checkStrength(strength: number | undefined): void {
  if (strength === undefined || (strength >= 0 && strength <= 1)) return
  throw new RestoreError('usage', `strength: expected a number from 0 to 1, got ${strength}`)
}
