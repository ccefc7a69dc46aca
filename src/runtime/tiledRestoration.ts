// Pictures through networks that are open, whoever opened them: shared by Node and browsers.

import { RestoreError } from '../core/errors.ts'
import type { Image, Pixels } from '../data/image.ts'
import type { Sampler } from '../diffusion/irsde.ts'
import { builders } from '../registry/networks.ts'
import { type OnProgress, progressOf } from './jobs/progress.ts'
import {
  type Attempt,
  layOutTiles,
  type RestorationLayout,
  type RestorationOutcome,
} from './networks/tileLayout.ts'
import { opacityOf, setOpacity, visibleColors } from './pictures/opacity.ts'
import { type Extent, imageReader, imageWriter, planeReader, sampleWriter } from './pictures/planeIO.ts'
import { type SpreadPicture, spreadPicture } from './sampling/sampleSpread.ts'
import { layOutSampling } from './sampling/samplingLayout.ts'
import {
  planSampling,
  refuseSampling,
  type Sampling,
  type SamplingRequest,
  type TrainedSampling,
} from './sampling/samplingPlan.ts'
import type { LoadedNetwork } from './session/networkSessions.ts'
import type { TileRequest } from './tiles/tilePlan.ts'

/** How a picture is restored. */
export interface PictureOptions extends TileRequest, SamplingRequest {
  /** Mean over all flips and transposes of the picture: a little better, eight times as long. */
  readonly selfEnsemble?: boolean | undefined
  /** Part of the restoration in the result, 0 to 1; the rest is the picture as it was. */
  readonly strength?: number | undefined
  /** Opacity as it was (enlarged where the picture is), or restored as a gray picture; 'keep' by default. */
  readonly opacity?: 'keep' | 'restore' | undefined
  /** Cancels at once, in the middle of a tile too where the network runs in a process of its own. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** What holds for all pictures. */
export interface TiledRestorationSetup {
  readonly network: LoadedNetwork
  /** Where the network samples. */
  readonly trained: TrainedSampling | undefined
  /** Unless a picture's own options say otherwise. */
  readonly request: TileRequest & SamplingRequest
  /** One measure for all pictures, so that equal ones are cut alike. */
  readonly freeBytes: number
}

/** What was done to a picture. */
export interface PictureInfo {
  readonly width: number
  readonly height: number
  /** Side of the result over that of the input. */
  readonly scale: number
  /** How many, and their side; one without a side is the whole picture. */
  readonly tiles: { readonly count: number; readonly px: number | undefined }
  /** Where a network samples: steps taken, and how many restorations the result is the mean of. */
  readonly sampling?: {
    readonly sampler: Sampler
    readonly steps: number
    readonly seed: number
    readonly samples: number
  }
  /** Deviation of several samples from each other, 0 to 255: the mean over the picture, and what is white in its map. */
  readonly spread?: Omit<SpreadPicture, 'pixels'>
}

export interface RestoredPixels {
  readonly pixels: Pixels
  /** The restorations whose mean this is, where several were asked for. */
  readonly samples: readonly Pixels[]
  /** Where those disagree. */
  readonly spread: Pixels | undefined
  readonly info: PictureInfo
}

export class TiledRestoration {
  readonly #setup: TiledRestorationSetup
  #maxTilePx: number | undefined

  constructor(setup: TiledRestorationSetup) {
    this.#setup = setup
  }

  /** Side of a result over that of its picture. */
  get scale(): number {
    const { model, options } = this.#setup.network
    return builders[model].scale(options)
  }

  /** Refuses what cannot be done, before a picture is read. */
  check(options: PictureOptions): void {
    const { strength = 1 } = options
    if (!(strength >= 0 && strength <= 1))
      throw new RestoreError('usage', `strength: expected a number from 0 to 1, got ${strength}`)
    this.#samplingOf(options)
  }

  /** Restores samples, in 16 bits where `is16Bit`. */
  async restorePixels(picture: Pixels, is16Bit: boolean, options: PictureOptions): Promise<RestoredPixels> {
    const { pixels, samples, restored, tilePx } = await this.#restoreColors(picture, is16Bit, options)
    const opacity = options.opacity === 'restore' ? opacityOf(picture) : undefined
    if (opacity) {
      const { pixels: shown } = await this.#restoreColors(opacity, is16Bit, options)
      for (const one of [pixels, ...samples]) setOpacity(one, shown)
    }
    const sampling = this.#samplingOf(options)
    const spread = restored.deviation && spreadPicture(restored.deviation, pixels)
    const info: PictureInfo = {
      ...{ width: pixels.width, height: pixels.height, scale: this.scale },
      tiles: { count: restored.tiles, px: tilePx },
      ...(sampling ? { sampling: reportedSampling(sampling) } : {}),
      ...(spread ? { spread: { mean255: spread.mean255, white255: spread.white255 } } : {}),
    }
    return { pixels, samples, spread: spread?.pixels, info }
  }

  /** Restores planes [c h w] as the network has them, neither clamped nor rounded: to measure, or to go on with. */
  async restorePlanes(image: Image, options: PictureOptions): Promise<Image> {
    const { model, options: network, guide } = this.#setup.network
    const { attempt } = await this.#restore(image, options, ({ padded, channels }) => {
      const { output } = builders[model].channels(network)
      const planes = guide?.kind === 'latent-unet' ? channels : output
      return { read: imageReader(image, channels, padded), ...imageWriter(image, this.scale, planes) }
    })
    return attempt.image
  }

  async #restoreColors(picture: Pixels, is16Bit: boolean, options: PictureOptions) {
    const seen = visibleColors(picture)
    const { samples: count = 1 } = this.#samplingOf(options) ?? {}
    const { attempt, ...rest } = await this.#restore(picture, options, ({ padded, channels }) => {
      const writer = () => sampleWriter(picture, this.scale, is16Bit)
      const samples = Array.from({ length: count > 1 ? count : 0 }, writer)
      return { read: planeReader(seen, channels, padded), samples, ...writer() }
    })
    return { ...rest, pixels: attempt.pixels, samples: attempt.samples.map(({ pixels }) => pixels) }
  }

  /** Tries again from the start with smaller tiles where memory did not suffice, so that no seam tells where. */
  async #restore<T extends Attempt>(
    picture: Extent,
    options: PictureOptions,
    begin: (layout: RestorationLayout) => T,
  ): Promise<{
    readonly attempt: T
    readonly restored: RestorationOutcome
    readonly tilePx: number | undefined
  }> {
    for (;;) {
      const layout = this.#layOut(picture, options)
      const { tilePx, nextSmallerTilePx } = layout
      try {
        const attempt = begin(layout)
        return { attempt, restored: await layout.restore(attempt), tilePx }
      } catch (error) {
        const isAuto = (options.tile ?? this.#setup.request.tile ?? 'auto') === 'auto'
        const isMemory = error instanceof RestoreError && error.code === 'memory'
        if (!isMemory || !isAuto || nextSmallerTilePx === undefined) throw error
        this.#maxTilePx = nextSmallerTilePx
      }
    }
  }

  #layOut({ width, height }: Extent, options: PictureOptions): RestorationLayout {
    const { network, freeBytes, request: usual } = this.#setup
    const request = {
      network,
      picture: { width, height },
      tiles: {
        tile: options.tile ?? usual.tile,
        overlap: options.overlap ?? usual.overlap,
        blend: options.blend ?? usual.blend,
      },
      budget: { freeBytes, maxTilePx: this.#maxTilePx },
      ...{ selfEnsemble: options.selfEnsemble ?? false, strength: options.strength ?? 1 },
      run: { signal: options.signal },
      onTile: progressOf('restore', options.onProgress, width * height),
    }
    const sampling = this.#samplingOf(options)
    return sampling ? layOutSampling(request, sampling) : layOutTiles(request)
  }

  /** What was asked for, of this picture or of all; undefined where the network restores at once. */
  #samplingOf({ steps, sampler, seed, samples, noise255 }: SamplingRequest): Sampling | undefined {
    const { network, trained, request: usual } = this.#setup
    const request = {
      steps: steps ?? usual.steps,
      sampler: sampler ?? usual.sampler,
      seed: seed ?? usual.seed,
      samples: samples ?? usual.samples,
      noise255: noise255 ?? usual.noise255,
    }
    if (trained) return planSampling(trained, request)
    refuseSampling(network.model, request)
    return undefined
  }
}

/** What a result tells of how it was sampled. */
function reportedSampling({
  sampler,
  startStep,
  seed,
  samples,
}: Sampling): NonNullable<PictureInfo['sampling']> {
  return { sampler, steps: startStep, seed, samples }
}
