// What restorers of Node and of browsers have in common: pictures, in turn, through an open network.

import { RestoreError } from '../core/errors.ts'
import type { Image, Pixels } from '../data/image.ts'
import type { License } from '../models/modelCard.ts'
import { checkAborted, SerialQueue } from './jobs/serialQueue.ts'
import { type RawPicture, type ReadPicture, type RestoreInfo, rawPicture } from './pictures/pictureTypes.ts'
import type { PictureOptions, RestoredPixels, TiledRestoration } from './tiledRestoration.ts'

/** An open network. */
export interface RestorerSetup {
  readonly restoration: TiledRestoration
  /** Facts about the network that every result reports. */
  readonly info: Pick<RestoreInfo, 'model' | 'network' | 'sha256' | 'device' | 'backend'>
  /** License of the weights. */
  readonly license: License
  readonly close: () => Promise<void>
}

/** Reads a picture and wraps its result, as the platform does. */
interface PictureSteps<Read extends ReadPicture, Result> {
  read(): Promise<Read>
  /** Whether the result has 16 bits a sample. @throws RestoreError where the result could not be kept as asked */
  is16Bit(read: Read): boolean
  wrap(restored: RestoredPicture, read: Read): Result
}

/** Restored pixels with all that a result reports. */
export interface RestoredPicture extends Omit<RestoredPixels, 'info'> {
  readonly info: RestoreInfo
}

export abstract class RestorerCore implements AsyncDisposable {
  readonly #setup: RestorerSetup
  readonly #queue = new SerialQueue()
  #isClosed = false

  protected constructor(setup: RestorerSetup) {
    this.#setup = setup
  }

  /** Device that computes: 'cpu', 'webgpu' or 'cuda:N'. */
  get device(): string {
    return this.#setup.info.device
  }

  /** License of the weights. */
  get license(): License {
    return this.#setup.license
  }

  /** Output side over input side. */
  get scale(): number {
    return this.#setup.restoration.scale
  }

  /** Restores planes [c h w] as the network outputs them, neither clamped nor rounded, to measure or process further. */
  runPlanes(image: Image, options: PictureOptions = {}): Promise<Image> {
    return this.#inTurn(options, () => this.#setup.restoration.restorePlanes(image, options))
  }

  /** Closes the network; pictures that still wait are refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#setup.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Restores one picture, after those before it; a failure concerns this picture alone. */
  protected async restorePicture<Read extends ReadPicture, Result>(
    options: PictureOptions,
    steps: PictureSteps<Read, Result>,
  ): Promise<Result> {
    const { restoration, info } = this.#setup
    restoration.check(options)
    return this.#inTurn(options, async () => {
      const started = performance.now()
      options.onProgress?.({ phase: 'read', done: 0, total: 1 })
      const read = await steps.read()
      const is16Bit = steps.is16Bit(read)
      checkAborted(options.signal)
      const readAt = performance.now()
      const restored = await restoration.restorePixels(read.pixels, is16Bit, options)
      const seconds = { read: (readAt - started) / 1000, restore: (performance.now() - readAt) / 1000 }
      return steps.wrap({ ...restored, info: { ...info, seconds, ...restored.info } }, read)
    })
  }

  #inTurn<T>({ signal }: PictureOptions, action: () => Promise<T>): Promise<T> {
    return this.#queue.run(() => {
      if (!this.#isClosed) return action()
      throw new RestoreError('usage', 'restore: expected an open restorer, got a closed one')
    }, signal)
  }
}

interface ResultParts<Result> {
  readonly pixels: Pixels
  readonly info: RestoreInfo
  readonly samples?: readonly Result[] | undefined
  readonly spread?: Result | undefined
}

/** A restored picture, whatever it is then encoded to. */
export abstract class PictureResult<Result> {
  protected readonly pixels: Pixels
  /** Model, device, tiles and times. */
  readonly info: RestoreInfo
  /** Restorations averaged into this one, where there are several. */
  readonly samples: readonly Result[]
  /** Gray map of where the samples disagree; `info.spread` states the value shown white. */
  readonly spread: Result | undefined

  protected constructor({ pixels, info, samples = [], spread }: ResultParts<Result>) {
    this.pixels = pixels
    this.info = info
    this.samples = samples
    this.spread = spread
  }

  /** The samples, in sRGB; not a copy. */
  raw(): RawPicture {
    return rawPicture(this.pixels)
  }
}
