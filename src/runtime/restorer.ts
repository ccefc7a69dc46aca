// The library's main call: a network that is open in a process of its own, and pictures through it.

import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { checkFormat } from '../data/codec.ts'
import type { Image, Pixels } from '../data/image.ts'
import { foreignProfile } from '../data/raster.ts'
import { builders, recognize } from '../registry/builders.ts'
import { type License, licenseOf, type ModelCard } from '../registry/cards.ts'
import { type RestoreInput, readInput } from './input.ts'
import { checkVariant, findModel, type ModelRequest } from './models.ts'
import { opacityOf, setOpacity, visibleColors } from './opacity.ts'
import { type Extent, imageReader, imageWriter, planeReader, sampleWriter } from './pixels.ts'
import { type OnProgress, progressOf } from './progress.ts'
import { type RestoreInfo, RestoreResult } from './result.ts'
import { findGuide } from './sampling/guide.ts'
import { layOutSampling } from './sampling/layout.ts'
import {
  isSampling,
  planSampling,
  refuseSampling,
  type Sampling,
  type SamplingRequest,
  type TrainedSampling,
  trainedSampling,
} from './sampling/sampling.ts'
import { spreadPicture } from './sampling/spread.ts'
import type { ComputeSession } from './session/compute.ts'
import { type DeviceRequest, nameOf, openAt, placementsFor } from './session/devices.ts'
import type { Guide } from './session/openNetwork.ts'
import type { Opened, Placement } from './session/protocol.ts'
import { type Attempt, type Layout, layOutTiles, type Restored } from './tiles/layout.ts'
import { prepareNetwork } from './tiles/networks.ts'
import type { TileRequest } from './tiles/plan.ts'

export interface RestorerOptions extends ModelRequest, DeviceRequest, TileRequest, SamplingRequest {
  /** File of the second network that some need which sample: a DA-CLIP, or the compression to latents. */
  readonly guide?: string | undefined
  /** Deviation of the SDE that the network was trained with, 1 to 255, where its weights do not tell. */
  readonly maxSigma?: number | undefined
  /** Options of the network that its weights do not tell. */
  readonly options?: object | undefined
  /** Threads on the processor; its part of the cores unless given. */
  readonly threads?: number | undefined
  /** Restorers that will be open beside one another, this one included: each takes its part of cores and memory. */
  readonly shares?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

export interface RunPictureOptions extends TileRequest, SamplingRequest {
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

interface Open {
  readonly session: ComputeSession
  readonly guide: (Guide & { readonly session: ComputeSession }) | undefined
  readonly placement: Placement
  readonly card: ModelCard | undefined
  readonly license: License
  /** Where the network samples. */
  readonly trained: TrainedSampling | undefined
  /** Before the networks took their part: one measure for all pictures, so that equal ones are cut alike. */
  readonly freeBytes: number
}

/** A network, open until it is closed; pictures may be given at once and are restored in turn. */
export class Restorer implements AsyncDisposable {
  readonly #open: Open
  readonly #request: TileRequest & SamplingRequest
  #limitPx: number | undefined

  private constructor(open: Open, request: TileRequest & SamplingRequest) {
    this.#open = open
    this.#request = request
  }

  /** Finds the weights and refuses what they cannot do, then starts a process that opens the network on the device. */
  static async open(options: RestorerOptions): Promise<Restorer> {
    const { shares = 1, signal } = options
    const { card, license, weights, given, trained, guide: guideFile } = findNetworks(options)
    const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / shares))
    // Its weights, as they are read and as they are run.
    const guideBytes = guideFile === undefined ? 0 : 2 * statSync(guideFile).size
    const freeBytes = Math.max(0, process.availableMemory() / shares - guideBytes)
    options.onProgress?.({ phase: 'open', done: 0, total: 1 })
    const setup = { weights, options: given, threads }
    const { session, placement } = await openAt(placementsFor(options), setup, { signal })
    try {
      const guide =
        guideFile === undefined ? undefined : await openGuide(guideFile, placement, { threads, signal })
      return new Restorer({ session, guide, placement, card, license, trained, freeBytes }, options)
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
    const started = performance.now()
    checkStrength(options.strength)
    const sampling = this.#samplingOf(options)
    options.onProgress?.({ phase: 'read', done: 0, total: 1 })
    const read = await readInput(input, options)
    if (options.format !== undefined) checkFormat(options.format, read.pixels.hasAlpha)
    if (options.signal?.aborted) throw new RestoreError('aborted', 'restore: cancelled')
    const restoring = performance.now()
    // Samples that go back to a profile are kept in 16 bits, so that they are rounded once.
    const isDeep = read.depth === 16 || foreignProfile(read.metadata?.icc, read.pixels.channels) !== undefined
    const { pixels, samples, restored, tilePx } = await this.#restorePixels(read.pixels, isDeep, options)
    const opacity = options.opacity === 'restore' ? opacityOf(read.pixels) : undefined
    if (opacity) {
      const { pixels: shown } = await this.#restorePixels(opacity, isDeep, options)
      for (const one of [pixels, ...samples]) setOpacity(one, shown)
    }
    const seconds = { read: (restoring - started) / 1000, restore: (performance.now() - restoring) / 1000 }
    const { placement, session, card } = this.#open
    const { model, sha256 } = session.opened
    const { deviation, tiles } = restored
    const spread = deviation && spreadPicture(deviation, pixels)
    const info: RestoreInfo = {
      ...{ model: card?.id ?? model, network: model, sha256 },
      ...{ device: nameOf(placement), backend: placement.backend },
      ...{ width: pixels.width, height: pixels.height, scale: this.scale, seconds },
      tiles: { count: tiles, px: tilePx },
      ...(sampling ? { sampling: toldOf(sampling) } : {}),
      ...(spread ? { spread: { mean255: spread.mean255, white255: spread.white255 } } : {}),
    }
    const { depth, metadata } = read
    const format = options.format ?? read.format
    const resultOf = (one: Pixels) => new RestoreResult({ pixels: one, depth, format, metadata, info })
    const grey = { depth: 8, format: 'png', metadata: undefined, info } as const
    return new RestoreResult({
      ...{ pixels, depth, format, metadata, info, samples: samples.map(resultOf) },
      spread: spread && new RestoreResult({ ...grey, pixels: spread.pixels }),
    })
  }

  /** Restores planes [c h w] as the network has them, neither clamped nor rounded: to measure, or to go on with. */
  async runPlanes(image: Image, options: Omit<RunPictureOptions, 'format' | 'name' | 'pixelLimit'> = {}) {
    const { model, options: network } = this.opened
    const { attempt } = await this.#restore(image, options, ({ padded, channels }) => {
      const { output } = builders[model].channels(network)
      const planes = this.#open.guide?.kind === 'latent-unet' ? channels : output
      return { read: imageReader(image, channels, padded), ...imageWriter(image, this.scale, planes) }
    })
    return attempt.image
  }

  /** Side of a result over that of its picture. */
  get scale(): number {
    const { model, options } = this.opened
    return builders[model].scale(options)
  }

  async close(): Promise<void> {
    const { session, guide } = this.#open
    await Promise.all([session.close(), guide?.session.close()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #restorePixels(picture: Pixels, isDeep: boolean, options: RunPictureOptions) {
    const seen = visibleColors(picture)
    const { samples: count = 1 } = this.#samplingOf(options) ?? {}
    const { attempt, ...rest } = await this.#restore(picture, options, ({ padded, channels }) => {
      const writer = () => sampleWriter(picture, this.scale, isDeep)
      const samples = Array.from({ length: count > 1 ? count : 0 }, writer)
      return { read: planeReader(seen, channels, padded), samples, ...writer() }
    })
    return { ...rest, pixels: attempt.pixels, samples: attempt.samples.map(({ pixels }) => pixels) }
  }

  /** Tries again from the start with smaller tiles where memory did not suffice, so that no seam tells where. */
  async #restore<T extends Attempt>(
    picture: Extent,
    options: RunPictureOptions,
    begin: (layout: Layout) => T,
  ): Promise<{ readonly attempt: T; readonly restored: Restored; readonly tilePx: number | undefined }> {
    for (;;) {
      const layout = this.#layOut(picture, options)
      const { tilePx, smallerPx } = layout
      try {
        const attempt = begin(layout)
        return { attempt, restored: await layout.restore(attempt), tilePx }
      } catch (error) {
        const isAuto = (options.tile ?? this.#request.tile ?? 'auto') === 'auto'
        const isMemory = error instanceof RestoreError && error.code === 'memory'
        if (!isMemory || !isAuto || smallerPx === undefined) throw error
        this.#limitPx = smallerPx
      }
    }
  }

  #layOut({ width, height }: Extent, options: RunPictureOptions): Layout {
    const { session, guide, freeBytes } = this.#open
    const { model, options: network } = session.opened
    const { tile, overlap, blend } = this.#request
    const request = {
      network: { model, options: network, session, guide },
      picture: { width, height },
      tiles: {
        tile: options.tile ?? tile,
        overlap: options.overlap ?? overlap,
        blend: options.blend ?? blend,
      },
      budget: { freeBytes, limitPx: this.#limitPx },
      ...{ selfEnsemble: options.selfEnsemble ?? false, strength: options.strength ?? 1 },
      run: { signal: options.signal },
      onTile: progressOf('restore', options.onProgress, width * height),
    }
    const sampling = this.#samplingOf(options)
    return sampling ? layOutSampling(request, sampling) : layOutTiles(request)
  }

  /** What was asked for, of this picture or of all; undefined where the network restores at once. */
  #samplingOf({ steps, sampler, seed, samples, noise255 }: SamplingRequest): Sampling | undefined {
    const all = this.#request
    return samplingFor(this.opened.model, this.#open.trained, {
      steps: steps ?? all.steps,
      sampler: sampler ?? all.sampler,
      seed: seed ?? all.seed,
      samples: samples ?? all.samples,
      noise255: noise255 ?? all.noise255,
    })
  }
}

/** The files of a request, and what their networks can do; all that can be refused before they are opened is. */
function findNetworks(options: RestorerOptions) {
  const { card, weights, options: told } = findModel(options)
  const given = { ...told, ...options.options }
  const checkpoint = readCheckpoint(weights)
  const { id: model, options: network } = recognize(checkpoint, given)
  if (card) checkVariant({ weights, card, given }, { model, options: network })
  // Refuses a network that does not restore by itself, and a task that its weights lack.
  prepareNetwork(model)
  const license = licenseOf(checkpoint.metadata, builders[model].license)
  const scale = builders[model].scale(network)
  if (options.scale !== undefined && options.scale !== scale) {
    const wanted = `expected ${scale}, which ${weights} is for, got ${options.scale}`
    throw new RestoreError('usage', `scale: ${wanted}; leave it out, or use other weights`)
  }
  if (!isSampling(model)) {
    refuseSampling(model, options)
    return { card, license, weights, given, trained: undefined, guide: undefined }
  }
  const own = { model, options: network }
  const trained = trainedSampling(own, {
    ...{ weights, card, metadata: checkpoint.metadata, maxSigma: options.maxSigma },
  })
  planSampling(trained, options)
  const guide = findGuide(own, { weights, card, guide: options.guide })
  return { card, license, weights, given, trained, guide }
}

/** Refuses what was asked of a network that restores at once. */
function samplingFor(
  model: Opened['model'],
  trained: TrainedSampling | undefined,
  request: SamplingRequest,
): Sampling | undefined {
  if (trained) return planSampling(trained, request)
  refuseSampling(model, request)
  return undefined
}

/** The guide in a process of its own, on the device of the network. */
async function openGuide(
  weights: string,
  placement: Placement,
  { threads, signal }: { readonly threads: number; readonly signal: AbortSignal | undefined },
) {
  const { session } = await openAt([placement], { weights, options: {}, threads }, { signal })
  const { model, options } = session.opened
  return { kind: model === 'daclip' ? 'daclip' : 'latent-unet', options, session } as const
}

/** What a result tells of how it was sampled. */
function toldOf({ sampler, startStep, seed, samples }: Sampling): NonNullable<RestoreInfo['sampling']> {
  return { sampler, steps: startStep, seed, samples }
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
