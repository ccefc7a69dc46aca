// Restores pictures with an open network; shared by Node and browsers.

import { RestoreError } from '../core/errors.ts'
import { callback, decimal, flag, type OptionRules, oneOf, signal } from '../core/options.ts'
import { toneTables } from '../data/colors/toneTables.ts'
import { type Image, type Pixels, peakOf } from '../data/image.ts'
import { type Extent, type PartedImage, wholeOf } from '../data/parts.ts'
import type { TrainedSampling } from '../models/modelCard.ts'
import { type Enlargement, enlarged, enlargementTo } from './enlargement.ts'
import { type OnProgress, progressOf } from './jobs/progress.ts'
import {
  type Attempt,
  type LayoutRequest,
  layOutTiles,
  type RestorationLayout,
  type RestorationOutcome,
} from './networks/tileLayout.ts'
import { checkToneOptions, layOutTone } from './networks/toneLayout.ts'
import { opacityOf, setOpacity, visibleColors } from './pictures/opacity.ts'
import type { DecodedPicture, PictureInfo } from './pictures/pictureTypes.ts'
import { imageReader, imageWriter, planeReader, sampleWriter } from './pictures/planeIO.ts'
import { resizePixels, resizePlanes } from './pictures/resample.ts'
import { type RestoredTile, restoredTile } from './pictures/restoredTile.ts'
import { spreadPicture } from './sampling/sampleSpread.ts'
import { layOutSampling } from './sampling/samplingLayout.ts'
import {
  planSampling,
  rejectSampling,
  type Sampling,
  type SamplingRequest,
  samplingRules,
} from './sampling/samplingPlan.ts'
import type { LoadedNetwork } from './session/networkSessions.ts'
import type { PlacedOutput } from './tiles/tile.ts'
import { type TileRequest, tileRules } from './tiles/tilePlan.ts'

/** How one picture is restored. */
export interface PictureOptions extends TileRequest, SamplingRequest {
  /** Averages over all flips and transposes: slightly better, but eight times slower. @default false */
  readonly selfEnsemble?: boolean | undefined
  /** Share of the restoration in the result, 0..1; the rest is the input. @default 1 */
  readonly strength?: number | undefined
  /** 'keep' (upscaled with the picture), or 'restore' as a gray picture. @default 'keep' */
  readonly opacity?: 'keep' | 'restore' | undefined
  /** Cancels between tiles; in Node also within a tile. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  /**
   * Receives every part of the result as soon as it is computed, to show it: tiles are not blended into one another
   * yet. Networks that sample report none.
   */
  readonly onTile?: ((tile: RestoredTile) => void) | undefined
}

export const pictureRules: OptionRules<PictureOptions> = {
  ...tileRules,
  ...samplingRules,
  selfEnsemble: flag,
  strength: decimal(0, 1),
  opacity: oneOf(['keep', 'restore']),
  signal,
  onProgress: callback,
  onTile: callback,
}

interface TiledRestorationSetup {
  readonly loaded: LoadedNetwork
  /** Sampling the network was trained for; undefined if it restores in one pass. */
  readonly trained: TrainedSampling | undefined
  /** Output side divided by input side. @default the network's own */
  readonly scale?: number
  /** Defaults for options that a picture leaves out. */
  readonly defaults: TileRequest & SamplingRequest
  /** Memory that a run may take, measured once so that equal pictures get equal tiles. */
  readonly budgetBytes: number
}

/** Restored pixels, and how they were restored. */
export interface RestoredPixels {
  readonly pixels: Pixels
  /** Restorations averaged into `pixels`; empty unless there are several. */
  readonly samples: readonly Pixels[]
  /** Map of where the samples disagree. */
  readonly spread: Pixels | undefined
  /** What the caller should know about this picture, as sentences. */
  readonly notes: readonly string[]
  readonly info: PictureInfo
}

/** Restored planes, and the tiles of the last pass. */
export interface RestoredPlanes {
  readonly image: Image
  readonly tiles: PictureInfo['tiles']
}

type OnTile = LayoutRequest['onTile']

type ColoredPixels = Pick<DecodedPicture, 'pixels' | 'metadata'>

/** Restored colors, and how they were restored in the last pass. */
interface RestoredColors extends Pick<RestoredPixels, 'pixels' | 'samples'> {
  readonly outcome: RestorationOutcome
  readonly tilePx: number | undefined
  /** Whether tiles are smaller than they would be with more memory. */
  readonly isShortOfMemory: boolean
}

/** How a picture is laid out in one pass. */
interface LayoutOptions {
  readonly options: PictureOptions
  readonly onTile: OnTile | undefined
  /** Whether the pass gives the result, whose parts may be shown. */
  readonly isFinal: boolean
  /** Largest tile to use, after larger ones ran out of memory. */
  readonly maxTilePx?: number | undefined
  /** Memory that a run may take. @default that of the setup */
  readonly budgetBytes?: number
}

/** Restores one picture at a time with an open network. */
export class TiledRestoration {
  readonly #setup: TiledRestorationSetup
  readonly #enlargement: Enlargement
  /** Output side divided by input side. */
  readonly scale: number

  constructor(setup: TiledRestorationSetup) {
    const { network } = setup.loaded
    this.#setup = setup
    this.scale = setup.scale ?? network.scale
    this.#enlargement = enlargementTo(this.scale, network.scale)
  }

  /** Checks options before a picture is read. @throws RestoreError 'usage' */
  check(options: PictureOptions): void {
    const { role, size } = this.#setup.loaded.network
    if (role.kind === 'tones') checkToneOptions(options)
    const [height, width] = size.fixedTile ?? []
    if (options.selfEnsemble && height !== width)
      throw new RestoreError(
        'usage',
        `selfEnsemble: expected false, as this network takes ${height} × ${width} pixels and no others, got true; leave it out`,
      )
    this.#samplingOf(options)
  }

  /** Restores pixels; the result has 16 bits per sample if `is16Bit`, else 8. */
  async restorePixels(
    { pixels: picture, metadata }: DecodedPicture,
    is16Bit: boolean,
    options: PictureOptions,
  ): Promise<RestoredPixels> {
    const colored = { pixels: picture, metadata }
    const restored = await this.#restoreColors(colored, is16Bit, options)
    const { pixels, samples, outcome, tilePx, isShortOfMemory } = restored
    const opacity = options.opacity === 'restore' ? opacityOf(picture) : undefined
    if (opacity) {
      const { pixels: gray } = await this.#restoreColors({ pixels: opacity }, is16Bit, options)
      for (const one of [pixels, ...samples]) setOpacity(one, gray)
    }
    const sampling = this.#samplingOf(options)
    const spread = outcome.deviation && spreadPicture(outcome.deviation, pixels)
    const info: PictureInfo = {
      width: pixels.width,
      height: pixels.height,
      scale: this.scale,
      tiles: { count: outcome.tiles, px: tilePx },
      ...(sampling ? { sampling: reportedSampling(sampling) } : {}),
      ...(outcome.seen ? { seen: outcome.seen } : {}),
      ...(spread ? { spread: { mean255: spread.mean255, white255: spread.white255 } } : {}),
    }
    const notes = isShortOfMemory
      ? [
          `little memory was free, so its tiles are only ${tilePx} pixels wide, which changes the result slightly (--tile fixes it)`,
        ]
      : []
    return { pixels, samples, spread: spread?.pixels, notes, info }
  }

  /** Restores planes [c h w], neither clamped nor rounded. */
  async restorePlanes(image: Image | PartedImage, options: PictureOptions): Promise<RestoredPlanes> {
    const { network, guide } = this.#setup.loaded
    let planes = image
    let tiles: PictureInfo['tiles'] = { count: 0, px: undefined }
    const passes = this.#passes(image, options)
    for (const [i, onTile] of passes.entries()) {
      const input = planes
      const isFinal = i === passes.length - 1 && !this.#isResampled
      const run = await this.#restore(input, { options, onTile, isFinal }, ({ padded, channels }) => {
        const count = guide?.guidance.kind === 'latents' ? channels : network.channels.output
        return { read: imageReader(input, channels, padded), ...imageWriter(input, network.scale, count) }
      })
      planes = run.attempt.image
      tiles = { count: run.outcome.tiles, px: run.tilePx }
    }
    const restored = wholeOf(planes)
    return {
      image: this.#isResampled ? resizePlanes(restored, enlarged(image, this.scale)) : restored,
      tiles,
    }
  }

  async #restoreColors(
    { pixels: picture, metadata }: ColoredPixels,
    is16Bit: boolean,
    options: PictureOptions,
  ): Promise<RestoredColors> {
    const passes = this.#passes(picture, options)
    const restored = await this.#runPasses({ pixels: picture, metadata }, is16Bit, { options, passes })
    if (!this.#isResampled) return restored
    const resize = (one: Pixels) => resizePixels(one, enlarged(picture, this.scale), is16Bit)
    return { ...restored, pixels: resize(restored.pixels), samples: restored.samples.map(resize) }
  }

  /** Runs the network on its own result until no pass is left; what is not the final result has 16 bits. */
  async #runPasses(
    { pixels: picture, metadata }: ColoredPixels,
    is16Bit: boolean,
    { options, passes }: { readonly options: PictureOptions; readonly passes: readonly OnTile[] },
  ): Promise<RestoredColors> {
    const [onTile, ...later] = passes
    const isFinal = later.length === 0 && !this.#isResampled
    const isWide = is16Bit || !isFinal
    const { network } = this.#setup.loaded
    const visible = visibleColors(picture)
    const tonesOf = (peak: number) => toneTables(metadata?.icc, picture.channels, peak)
    const [inputTones, outputTones] = [tonesOf(peakOf(picture.data)), tonesOf(isWide ? 65535 : 255)]
    const { samples: count = 1 } = this.#samplingOf(options) ?? {}
    const { attempt, ...rest } = await this.#restore(
      picture,
      { options, onTile, isFinal },
      ({ padded, channels }) => {
        const depth = { is16Bit: isWide, dithers: network.role.kind === 'tones', tones: outputTones }
        const writer = () => sampleWriter(picture, network.scale, depth)
        const samples = Array.from({ length: count > 1 ? count : 0 }, writer)
        return { read: planeReader(visible, channels, padded, inputTones), samples, ...writer() }
      },
    )
    if (later.length > 0) {
      return this.#runPasses({ pixels: attempt.pixels, metadata }, is16Bit, { options, passes: later })
    }
    return { ...rest, pixels: attempt.pixels, samples: attempt.samples.map(({ pixels }) => pixels) }
  }

  get #isResampled(): boolean {
    return this.#enlargement.reached !== this.scale
  }

  /** A receiver of tiles for each pass, which reports the share of all passes that is done. */
  #passes({ width, height }: Extent, { onProgress }: PictureOptions): readonly OnTile[] {
    const { passes } = this.#enlargement
    const report = progressOf('restore', onProgress, width * height)
    if (passes === 1) return [report]
    // The cost of a pass grows with the area of its input.
    const costs = Array.from({ length: passes }, (_, i) => this.#setup.loaded.network.scale ** (2 * i))
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
    return costs.map((cost, i) => (done, total) => {
      const unit = total / cost
      report(Math.round(unit * sum(costs.slice(0, i)) + done), Math.round(unit * sum(costs)))
    })
  }

  /** On out-of-memory, restarts with smaller tiles, so the tile size never changes within a picture. */
  async #restore<T extends Attempt>(
    picture: Extent,
    { options, onTile, isFinal }: LayoutOptions,
    begin: (layout: RestorationLayout) => T,
  ): Promise<{
    readonly attempt: T
    readonly outcome: RestorationOutcome
    readonly tilePx: number | undefined
    readonly isShortOfMemory: boolean
  }> {
    let maxTilePx: number | undefined
    for (;;) {
      const layout = this.#layOut(picture, { options, onTile, isFinal, maxTilePx })
      const { tilePx, nextSmallerTilePx } = layout
      try {
        const attempt = begin(layout)
        const outcome = await layout.restore(attempt)
        const ample = this.#layOut(picture, {
          options,
          onTile,
          isFinal,
          budgetBytes: Number.POSITIVE_INFINITY,
        })
        return { attempt, outcome, tilePx, isShortOfMemory: ample.tilePx !== tilePx }
      } catch (error) {
        const isAuto = (options.tile ?? this.#setup.defaults.tile ?? 'auto') === 'auto'
        const isMemory = error instanceof RestoreError && error.code === 'memory'
        if (!isMemory || !isAuto || nextSmallerTilePx === undefined) throw error
        maxTilePx = nextSmallerTilePx
      }
    }
  }

  #layOut(
    { width, height }: Extent,
    { options, onTile = () => {}, isFinal, maxTilePx, budgetBytes = this.#setup.budgetBytes }: LayoutOptions,
  ): RestorationLayout {
    const { loaded, defaults } = this.#setup
    const request = {
      loaded,
      picture: { width, height },
      tiles: {
        tile: options.tile ?? defaults.tile,
        overlap: options.overlap ?? defaults.overlap,
        blend: options.blend ?? defaults.blend,
      },
      budget: { budgetBytes, maxTilePx },
      selfEnsemble: options.selfEnsemble ?? false,
      strength: options.strength ?? 1,
      run: { signal: options.signal },
      onTile,
      onPart:
        isFinal && options.onTile
          ? partReceiver(options.onTile, { width, height }, loaded.network.scale)
          : undefined,
    }
    const { role } = loaded.network
    if (role.kind === 'tones') return layOutTone(request, role)
    const sampling = this.#samplingOf(options)
    return sampling ? layOutSampling(request, sampling) : layOutTiles(request)
  }

  /** Plans the sampling of a picture; undefined if the network restores in one pass. */
  #samplingOf({ steps, sampler, seed, samples, noise }: SamplingRequest): Sampling | undefined {
    const { loaded, trained, defaults } = this.#setup
    const request = {
      steps: steps ?? defaults.steps,
      sampler: sampler ?? defaults.sampler,
      seed: seed ?? defaults.seed,
      samples: samples ?? defaults.samples,
      noise: noise ?? defaults.noise,
    }
    if (trained) return planSampling(trained, request)
    rejectSampling(loaded.network, request)
    return undefined
  }
}

function partReceiver(onTile: (tile: RestoredTile) => void, { width, height }: Extent, scale: number) {
  const extent = { width: width * scale, height: height * scale }
  return (part: PlacedOutput) => onTile(restoredTile(part, extent))
}

function reportedSampling({ sampler, startStep, seed, samples }: Sampling): PictureInfo['sampling'] & object {
  return { sampler, steps: startStep, seed, samples }
}
