// The library's main call: a network that is open in a process of its own, and pictures through it.

import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { readCheckpoint } from '../checkpoints/files.ts'
import { checkFormat } from '../data/codec.ts'
import type { Image, Pixels } from '../data/image.ts'
import { foreignProfile } from '../data/sharpRaster.ts'
import type { License, ModelCard } from '../registry/cards.ts'
import { checkRequest, type NetworkRequest } from './checkRequest.ts'
import type { OnProgress } from './jobs/progress.ts'
import { checkAborted } from './jobs/serialQueue.ts'
import type { RestoreInfo } from './pictures/pictureTypes.ts'
import { type DecodedInput, type ReadOptions, type RestoreInput, readInput } from './readInput.ts'
import { findGuide, findModel, type ModelRequest } from './resolveModel.ts'
import { RestoreResult } from './restoreResult.ts'
import type { ProcessSession } from './session/computeProcess.ts'
import { type DeviceRequest, nameOf, openAt, placementsFor } from './session/devices.ts'
import { type Guide, guideOf } from './session/networkSessions.ts'
import type { Opened, Placement } from './session/protocol.ts'
import { type PictureOptions, TiledRestoration } from './tiledRestoration.ts'
import type { TileRequest } from './tiles/tilePlan.ts'

export interface RestorerOptions extends ModelRequest, DeviceRequest, TileRequest, NetworkRequest {
  /** File of the second network that some need which sample: a DA-CLIP, or the compression to latents. */
  readonly guide?: string | undefined
  /** Options of the network that its weights do not tell. */
  readonly options?: object | undefined
  /** Threads on the processor; its part of the cores unless given. */
  readonly threads?: number | undefined
  /** Restorers that will be open beside one another, this one included: each takes its part of cores and memory. */
  readonly concurrentRestorers?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

export interface RunPictureOptions extends PictureOptions {
  /** That of the file it will be written to: refused before it is restored where it cannot hold the picture. */
  readonly format?: string | undefined
  /** What errors call an input that is no path. */
  readonly name?: string | undefined
  /** Most pixels that are decoded; 268 million by default. */
  readonly pixelLimit?: number | undefined
}

interface Open {
  readonly session: ProcessSession
  readonly guide: (Guide & { readonly session: ProcessSession }) | undefined
  readonly placement: Placement
  readonly card: ModelCard | undefined
  readonly license: License
}

/** A network, open until it is closed; pictures may be given at once and are restored in turn. */
export class Restorer implements AsyncDisposable {
  readonly #open: Open
  readonly #engine: TiledRestoration

  private constructor(open: Open, engine: TiledRestoration) {
    this.#open = open
    this.#engine = engine
  }

  /** Finds the weights and refuses what they cannot do, then starts a process that opens the network on the device. */
  static async open(options: RestorerOptions): Promise<Restorer> {
    const { concurrentRestorers = 1, signal } = options
    const { card, license, weights, given, trained, guide: guideFile } = findNetworks(options)
    const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / concurrentRestorers))
    // Its weights, as they are read and as they are run.
    const guideBytes = guideFile === undefined ? 0 : 2 * statSync(guideFile).size
    // Before the networks take their part.
    const freeBytes = Math.max(0, process.availableMemory() / concurrentRestorers - guideBytes)
    options.onProgress?.({ phase: 'open', done: 0, total: 1 })
    const setup = { weights, options: given, threads }
    const { session, placement } = await openAt(placementsFor(options), setup, { signal })
    try {
      const guide =
        guideFile === undefined ? undefined : await openGuide(guideFile, placement, { threads, signal })
      const { model, options: network } = session.opened
      const engine = new TiledRestoration({
        ...{ network: { model, options: network, session, guide }, trained, freeBytes },
        request: options,
      })
      return new Restorer({ session, guide, placement, card, license }, engine)
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

  /** What the weights may be used for. */
  get license(): License {
    return this.#open.license
  }

  /** The network that the weights are of, its options and their hash. */
  get opened(): Opened {
    return this.#open.session.opened
  }

  /** The same of the network beside it, where there is one. */
  get guide(): Opened | undefined {
    return this.#open.guide?.session.opened
  }

  /** Restores a picture of any size; a failure concerns this picture alone. */
  async run(input: RestoreInput, options: RunPictureOptions = {}): Promise<RestoreResult> {
    this.#engine.check(options)
    return this.runRead(readInput(input, options), options)
  }

  /** The same for a picture that is being read already. @internal */
  async runRead(reading: Promise<DecodedInput>, options: RunPictureOptions): Promise<RestoreResult> {
    const started = performance.now()
    this.#engine.check(options)
    options.onProgress?.({ phase: 'read', done: 0, total: 1 })
    const read = await reading
    if (options.format !== undefined) checkFormat(options.format, read.pixels.hasAlpha)
    checkAborted(options.signal)
    const restoring = performance.now()
    // Samples that go back to a profile are kept in 16 bits, so that they are rounded once.
    const is16Bit =
      read.depth === 16 || foreignProfile(read.metadata?.icc, read.pixels.channels) !== undefined
    const {
      pixels,
      samples,
      spread,
      info: done,
    } = await this.#engine.restorePixels(read.pixels, is16Bit, options)
    const seconds = { read: (restoring - started) / 1000, restore: (performance.now() - restoring) / 1000 }
    const { placement, session, card } = this.#open
    const { model, sha256 } = session.opened
    const info: RestoreInfo = {
      ...{ model: card?.id ?? model, network: model, sha256 },
      ...{ device: nameOf(placement), backend: placement.backend, seconds, ...done },
    }
    const { depth, metadata } = read
    const format = options.format ?? read.format
    const resultOf = (one: Pixels) => new RestoreResult({ pixels: one, depth, format, metadata, info })
    const gray = { depth: 8, format: 'png', metadata: undefined, info } as const
    return new RestoreResult({
      ...{ pixels, depth, format, metadata, info, samples: samples.map(resultOf) },
      spread: spread && new RestoreResult({ ...gray, pixels: spread }),
    })
  }

  /** Restores planes [c h w] as the network has them, neither clamped nor rounded: to measure, or to go on with. */
  runPlanes(image: Image, options: PictureOptions = {}): Promise<Image> {
    return this.#engine.restorePlanes(image, options)
  }

  /** Side of a result over that of its picture. */
  get scale(): number {
    return this.#engine.scale
  }

  async close(): Promise<void> {
    const { session, guide } = this.#open
    await Promise.all([session.close(), guide?.session.close()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** The files of a request and what their networks can do; all that can be refused before they are opened is. */
function findNetworks(options: RestorerOptions) {
  const { card, weights, options: told } = findModel(options)
  const given = { ...told, ...options.options }
  const asked = { weights, checkpoint: readCheckpoint(weights), card, given }
  const { license, trained, ...network } = checkRequest(asked, options)
  const guide = trained && findGuide(network, { weights, card, guide: options.guide })
  return { card, license, weights, given, trained, guide }
}

/** The guide in a process of its own, on the device of the network. */
async function openGuide(
  weights: string,
  placement: Placement,
  { threads, signal }: { readonly threads: number; readonly signal: AbortSignal | undefined },
) {
  const { session } = await openAt([placement], { weights, options: {}, threads }, { signal })
  const { model, options } = session.opened
  return { ...guideOf(model, options, session), session }
}

/** Opens a network, from a model's id or from weights. */
export function createRestorer(options: RestorerOptions): Promise<Restorer> {
  return Restorer.open(options)
}

/** Begins to read a picture while the network is being opened; what is wrong with it comes when it is awaited. */
export function readAhead(input: RestoreInput, options: ReadOptions): Promise<DecodedInput> {
  const read = readInput(input, options)
  read.catch(() => {})
  return read
}

/** Restores one picture; for several, {@link createRestorer} opens the network once. */
export async function restore(
  input: RestoreInput,
  options: RestorerOptions & RunPictureOptions,
): Promise<RestoreResult> {
  const read = readAhead(input, options)
  const restorer = await createRestorer(options)
  try {
    return await restorer.runRead(read, options)
  } finally {
    await restorer.close()
  }
}
