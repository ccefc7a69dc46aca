// The library's main entry in Node: opens a network in a separate process and restores pictures with it.

import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { readCheckpoint } from '../checkpoints/files.ts'
import { checkFormat } from '../data/codec.ts'
import type { Pixels } from '../data/image.ts'
import { foreignProfile } from '../data/sharpRaster.ts'
import type { NetworkDescription } from '../models/networkDescriptor.ts'
import type { ModelCard } from '../registry/cards.ts'
import type { ModelId } from '../registry/networks.ts'
import { checkRequest, type NetworkRequest } from './checkRequest.ts'
import type { OnProgress } from './jobs/progress.ts'
import { type DecodedInput, type ReadOptions, type RestoreInput, readInput } from './readInput.ts'
import { type ModelRequest, type ResolvedGuide, resolveGuide, resolveModel } from './resolveModel.ts'
import { RestoreResult } from './restoreResult.ts'
import { type RestoredPicture, RestorerCore, type RestorerSetup } from './restorerCore.ts'
import type { ProcessSession } from './session/computeProcess.ts'
import { type DeviceRequest, deviceName, openOnDevice, placementsFor } from './session/devices.ts'
import { type PictureOptions, TiledRestoration } from './tiledRestoration.ts'
import type { TileRequest } from './tiles/tilePlan.ts'

/** Options of {@link createRestorer}; tiling and sampling options are defaults for every picture. */
export interface RestorerOptions extends ModelRequest, DeviceRequest, TileRequest, NetworkRequest {
  /** File of the second network that some samplers require: a DA-CLIP, or a latent compressor. */
  readonly guide?: string | undefined
  /** Network options that replace those the weights imply. */
  readonly options?: object | undefined
  /** CPU threads. @default the number of cores, divided among concurrent restorers */
  readonly threads?: number | undefined
  /** Restorers open at the same time, including this one; they share cores and memory. @default 1 */
  readonly concurrentRestorers?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** Options of {@link Restorer.run}. */
export interface RunPictureOptions extends PictureOptions {
  /** Format of the file to write; rejected before restoring if it cannot hold the picture. */
  readonly format?: string | undefined
  /** Name of the input in errors. @default its path, else 'image' */
  readonly name?: string | undefined
  /** Largest number of pixels to decode. @default 268 million */
  readonly pixelLimit?: number | undefined
}

/** An open network in Node. */
interface NodeSetup extends RestorerSetup {
  readonly network: NetworkDescription<ModelId>
  readonly session: ProcessSession
  readonly card: ModelCard | undefined
  readonly guide: OpenGuide | undefined
}

interface OpenGuide extends Pick<ResolvedGuide, 'network' | 'guidance'> {
  readonly session: ProcessSession
}

/** Restores pictures with a network that stays open until `close`; concurrent calls are queued. */
export class Restorer extends RestorerCore {
  readonly #setup: NodeSetup

  private constructor(setup: NodeSetup) {
    super(setup)
    this.#setup = setup
  }

  /** Opens a restorer, as {@link createRestorer} does. */
  static async open(options: RestorerOptions): Promise<Restorer> {
    const { concurrentRestorers = 1, signal } = options
    const { card, weights, overrides, checked, guide } = resolveNetworks(options)
    const { network, license, trained } = checked
    const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / concurrentRestorers))
    const budgetBytes = memoryBudget(concurrentRestorers, guide)
    options.onProgress?.({ phase: 'open', done: 0, total: 1 })
    const setup = { weights, options: overrides, threads }
    const { session, placement } = await openOnDevice(placementsFor(options), setup, { signal })
    try {
      const guideSetup = guide && { weights: guide.file, options: {}, threads }
      const openedGuide = guideSetup && (await openOnDevice([placement], guideSetup, { signal })).session
      const openGuide = guide && openedGuide && { ...guide, session: openedGuide }
      const restoration = new TiledRestoration({
        loaded: { network, session, guide: openGuide },
        trained,
        budgetBytes,
        defaults: options,
      })
      const device = deviceName(placement)
      return new Restorer({
        restoration,
        network,
        session,
        card,
        license,
        guide: openGuide,
        info: {
          model: card?.id ?? network.id,
          network: network.id,
          sha256: session.opened.sha256,
          device,
          backend: placement.backend,
        },
        close: async () => {
          await Promise.all([session.close(), openGuide?.session.close()])
        },
      })
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** Process id of the compute process; undefined while none runs. */
  get pid(): number | undefined {
    return this.#setup.session.pid
  }

  /** Card of the model; undefined for weights without one. */
  get card(): ModelCard | undefined {
    return this.#setup.card
  }

  /** The network of the weights, with its options. */
  get network(): NetworkDescription<ModelId> {
    return this.#setup.network
  }

  /** SHA-256 of the weights file. */
  get sha256(): string {
    return this.#setup.session.opened.sha256
  }

  /** Network and SHA-256 of the guide, if there is one. */
  get guide(): { readonly network: NetworkDescription<ModelId>; readonly sha256: string } | undefined {
    const { guide } = this.#setup
    return guide && { network: guide.network, sha256: guide.session.opened.sha256 }
  }

  /**
   * Restores a picture of any size.
   * @throws RestoreError for this picture alone: 'input', 'usage', 'memory', 'crash', 'aborted'
   */
  run(input: RestoreInput, options: RunPictureOptions = {}): Promise<RestoreResult> {
    return this.#run(() => readInput(input, options), options)
  }

  /** Like `run`, for an input that is already being read. @internal */
  runRead(reading: Promise<DecodedInput>, options: RunPictureOptions): Promise<RestoreResult> {
    return this.#run(() => reading, options)
  }

  #run(read: () => Promise<DecodedInput>, options: RunPictureOptions): Promise<RestoreResult> {
    return this.restorePicture(options, {
      read,
      is16Bit: ({ pixels, depth, metadata }) => {
        if (options.format !== undefined) checkFormat(options.format, pixels.hasAlpha)
        // Samples to convert back to a profile stay 16-bit, so they are rounded only once.
        return depth === 16 || foreignProfile(metadata?.icc, pixels.channels) !== undefined
      },
      wrap: (restored, decoded) => wrapResult(restored, decoded, options.format),
    })
  }
}

function wrapResult(
  { pixels, samples, spread, info }: RestoredPicture,
  { depth, format: inputFormat, metadata }: DecodedInput,
  format = inputFormat,
): RestoreResult {
  const file = { depth, format, metadata, info }
  const map = { depth: 8, format: 'png', metadata: undefined, info } as const
  return new RestoreResult({
    ...file,
    pixels,
    samples: samples.map((one: Pixels) => new RestoreResult({ ...file, pixels: one })),
    spread: spread && new RestoreResult({ ...map, pixels: spread }),
  })
}

/** Resolves and checks the files of a request. */
function resolveNetworks(options: RestorerOptions) {
  const { card, weights, overrides: fromCard } = resolveModel(options)
  const overrides = { ...fromCard, ...options.options }
  const requested = { weights, checkpoint: readCheckpoint(weights), card, overrides }
  const checked = checkRequest(requested, options)
  const guide = checked.trained && resolveGuide(checked.network, { weights, card, guide: options.guide })
  return { card, weights, overrides, checked, guide }
}

/** Memory for a run: half of this restorer's share, after what the guide takes to load and run. */
function memoryBudget(concurrentRestorers: number, guide: ResolvedGuide | undefined): number {
  const guideBytes = guide ? 2 * statSync(guide.file).size : 0
  return Math.max(0, process.availableMemory() / concurrentRestorers - guideBytes) / 2
}

/**
 * Opens a network, selected by a model's id, a task or a weights file.
 * @throws RestoreError 'usage', 'checkpoint', 'environment'
 * @example
 * const restorer = await createRestorer({ model: 'light-photo' })
 * const result = await restorer.run('photo.jpg')
 * await result.toFile('clean.png')
 * await restorer.close()
 */
export function createRestorer(options: RestorerOptions = {}): Promise<Restorer> {
  return Restorer.open(options)
}

/** Starts reading a picture while the network opens; errors surface when the result is awaited. */
export function readAhead(input: RestoreInput, options: ReadOptions): Promise<DecodedInput> {
  const read = readInput(input, options)
  read.catch(() => {})
  return read
}

/**
 * Restores one picture; for several, open the network once with {@link createRestorer}.
 * @throws RestoreError as `createRestorer` and `run` do
 * @example
 * const result = await restore('photo.jpg', { task: 'denoise' })
 */
export async function restore(
  input: RestoreInput,
  options: RestorerOptions & RunPictureOptions = {},
): Promise<RestoreResult> {
  const read = readAhead(input, options)
  const restorer = await createRestorer(options)
  try {
    return await restorer.runRead(read, options)
  } finally {
    await restorer.close()
  }
}
