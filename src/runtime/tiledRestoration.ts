// Restores pictures with an open network; shared by Node and browsers.

import { RestoreError } from '../core/errors.ts'
import type { Image, Pixels } from '../data/image.ts'
import type { TrainedSampling } from '../models/modelCard.ts'
import { type OnProgress, progressOf } from './jobs/progress.ts'
import {
  type Attempt,
  layOutTiles,
  type RestorationLayout,
  type RestorationOutcome,
} from './networks/tileLayout.ts'
import { checkToneOptions, layOutTone } from './networks/toneLayout.ts'
import { opacityOf, setOpacity, visibleColors } from './pictures/opacity.ts'
import type { PictureInfo } from './pictures/pictureTypes.ts'
import { type Extent, imageReader, imageWriter, planeReader, sampleWriter } from './pictures/planeIO.ts'
import { spreadPicture } from './sampling/sampleSpread.ts'
import { layOutSampling } from './sampling/samplingLayout.ts'
import { planSampling, rejectSampling, type Sampling, type SamplingRequest } from './sampling/samplingPlan.ts'
import type { LoadedNetwork } from './session/networkSessions.ts'
import type { TileRequest } from './tiles/tilePlan.ts'

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
}

interface TiledRestorationSetup {
  readonly loaded: LoadedNetwork
  /** Sampling the network was trained for; undefined if it restores in one pass. */
  readonly trained: TrainedSampling | undefined
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
  readonly info: PictureInfo
}

/** Restores one picture at a time with an open network. */
export class TiledRestoration {
  readonly #setup: TiledRestorationSetup
  #maxTilePx: number | undefined

  constructor(setup: TiledRestorationSetup) {
    this.#setup = setup
  }

  /** Output side divided by input side. */
  get scale(): number {
    return this.#setup.loaded.network.scale
  }

  /** Checks options before a picture is read. @throws RestoreError 'usage' */
  check(options: PictureOptions): void {
    const { strength = 1 } = options
    if (!(strength >= 0 && strength <= 1))
      throw new RestoreError('usage', `strength: expected a number from 0 to 1, got ${strength}`)
    if (this.#setup.loaded.network.role.kind === 'tones') checkToneOptions(options)
    this.#samplingOf(options)
  }

  /** Restores pixels; the result has 16 bits per sample if `is16Bit`, else 8. */
  async restorePixels(picture: Pixels, is16Bit: boolean, options: PictureOptions): Promise<RestoredPixels> {
    const { pixels, samples, outcome, tilePx } = await this.#restoreColors(picture, is16Bit, options)
    const opacity = options.opacity === 'restore' ? opacityOf(picture) : undefined
    if (opacity) {
      const { pixels: restored } = await this.#restoreColors(opacity, is16Bit, options)
      for (const one of [pixels, ...samples]) setOpacity(one, restored)
    }
    const sampling = this.#samplingOf(options)
    const spread = outcome.deviation && spreadPicture(outcome.deviation, pixels)
    const info: PictureInfo = {
      width: pixels.width,
      height: pixels.height,
      scale: this.scale,
      tiles: { count: outcome.tiles, px: tilePx },
      ...(sampling ? { sampling: reportedSampling(sampling) } : {}),
      ...(spread ? { spread: { mean255: spread.mean255, white255: spread.white255 } } : {}),
    }
    return { pixels, samples, spread: spread?.pixels, info }
  }

  /** Restores planes [c h w], neither clamped nor rounded. */
  async restorePlanes(image: Image, options: PictureOptions): Promise<Image> {
    const { network, guide } = this.#setup.loaded
    const { attempt } = await this.#restore(image, options, ({ padded, channels }) => {
      const planes = guide?.guidance.kind === 'latents' ? channels : network.channels.output
      return { read: imageReader(image, channels, padded), ...imageWriter(image, this.scale, planes) }
    })
    return attempt.image
  }

  async #restoreColors(picture: Pixels, is16Bit: boolean, options: PictureOptions) {
    const visible = visibleColors(picture)
    const { samples: count = 1 } = this.#samplingOf(options) ?? {}
    const { attempt, ...rest } = await this.#restore(picture, options, ({ padded, channels }) => {
      const dithers = this.#setup.loaded.network.role.kind === 'tones'
      const writer = () => sampleWriter(picture, this.scale, { is16Bit, dithers })
      const samples = Array.from({ length: count > 1 ? count : 0 }, writer)
      return { read: planeReader(visible, channels, padded), samples, ...writer() }
    })
    return { ...rest, pixels: attempt.pixels, samples: attempt.samples.map(({ pixels }) => pixels) }
  }

  /** On out-of-memory, restarts with smaller tiles, so the tile size never changes within a picture. */
  async #restore<T extends Attempt>(
    picture: Extent,
    options: PictureOptions,
    begin: (layout: RestorationLayout) => T,
  ): Promise<{
    readonly attempt: T
    readonly outcome: RestorationOutcome
    readonly tilePx: number | undefined
  }> {
    for (;;) {
      const layout = this.#layOut(picture, options)
      const { tilePx, nextSmallerTilePx } = layout
      try {
        const attempt = begin(layout)
        return { attempt, outcome: await layout.restore(attempt), tilePx }
      } catch (error) {
        const isAuto = (options.tile ?? this.#setup.defaults.tile ?? 'auto') === 'auto'
        const isMemory = error instanceof RestoreError && error.code === 'memory'
        if (!isMemory || !isAuto || nextSmallerTilePx === undefined) throw error
        this.#maxTilePx = nextSmallerTilePx
      }
    }
  }

  #layOut({ width, height }: Extent, options: PictureOptions): RestorationLayout {
    const { loaded, budgetBytes, defaults } = this.#setup
    const request = {
      loaded,
      picture: { width, height },
      tiles: {
        tile: options.tile ?? defaults.tile,
        overlap: options.overlap ?? defaults.overlap,
        blend: options.blend ?? defaults.blend,
      },
      budget: { budgetBytes, maxTilePx: this.#maxTilePx },
      selfEnsemble: options.selfEnsemble ?? false,
      strength: options.strength ?? 1,
      run: { signal: options.signal },
      onTile: progressOf('restore', options.onProgress, width * height),
    }
    const { role } = loaded.network
    if (role.kind === 'tones') return layOutTone(request, role)
    const sampling = this.#samplingOf(options)
    return sampling ? layOutSampling(request, sampling) : layOutTiles(request)
  }

  /** Plans the sampling of a picture; undefined if the network restores in one pass. */
  #samplingOf({ steps, sampler, seed, samples, noise255 }: SamplingRequest): Sampling | undefined {
    const { loaded, trained, defaults } = this.#setup
    const request = {
      steps: steps ?? defaults.steps,
      sampler: sampler ?? defaults.sampler,
      seed: seed ?? defaults.seed,
      samples: samples ?? defaults.samples,
      noise255: noise255 ?? defaults.noise255,
    }
    if (trained) return planSampling(trained, request)
    rejectSampling(loaded.network, request)
    return undefined
  }
}

function reportedSampling({ sampler, startStep, seed, samples }: Sampling): PictureInfo['sampling'] & object {
  return { sampler, steps: startStep, seed, samples }
}
