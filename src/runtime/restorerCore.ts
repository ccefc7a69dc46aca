// The part that restorers in Node and in browsers share: runs pictures through an open network, one at a
// time.

import { RestoreError } from '../core/errors.ts'
import type { Image, Pixels } from '../data/image.ts'
import type { License } from '../models/modelCard.ts'
import { checkAborted, SerialQueue } from './jobs/serialQueue.ts'
import {
  type DecodedPicture,
  type RawPicture,
  type RestoreInfo,
  rawPicture,
} from './pictures/pictureTypes.ts'
import type { PictureOptions, RestoredPixels, TiledRestoration } from './tiledRestoration.ts'

/** An open network and facts about it. */
export interface RestorerSetup {
  readonly restoration: TiledRestoration
  /** Facts about the network that every result reports. */
  readonly info: Pick<RestoreInfo, 'model' | 'network' | 'sha256' | 'device' | 'backend'>
  /** License of the weights. */
  readonly license: License
  readonly close: () => Promise<void>
}

/** Reads a picture and wraps its result, as the platform does. */
interface PictureSteps<Read extends DecodedPicture, Result> {
  read(): Promise<Read>
  /**
   * Whether the result has 16 bits per sample.
   * @throws RestoreError if the requested format cannot hold it
   */
  is16Bit(read: Read): boolean
  wrap(restored: RestoredPicture, read: Read): Result
}

/** Restored pixels with everything a result reports. */
export interface RestoredPicture extends Omit<RestoredPixels, 'info'> {
  readonly info: RestoreInfo
}

/** Restores pictures one at a time; platforms add how a picture is read and wrapped. */
export abstract class RestorerCore implements AsyncDisposable {
  readonly #setup: RestorerSetup
  readonly #queue = new SerialQueue()
  #isClosed = false

  protected constructor(setup: RestorerSetup) {
    this.#setup = setup
  }

  /** Device in use: 'cpu', 'webgpu' or 'cuda:N'. */
  get device(): string {
    return this.#setup.info.device
  }

  /** License of the weights. */
  get license(): License {
    return this.#setup.license
  }

  /** Output side divided by input side. */
  get scale(): number {
    return this.#setup.restoration.scale
  }

  /** Restores planes [c h w] for further processing, neither clamped nor rounded. */
  async runPlanes(image: Image, options: PictureOptions = {}): Promise<Image> {
    this.#setup.restoration.check(options)
    return this.#enqueue(options, () => this.#setup.restoration.restorePlanes(image, options))
  }

  /** Closes the network; pictures still in the queue are rejected. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#setup.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Queues one picture; its failure does not affect the others. */
  protected async restorePicture<Read extends DecodedPicture, Result>(
    options: PictureOptions,
    steps: PictureSteps<Read, Result>,
  ): Promise<Result> {
    const { restoration, info } = this.#setup
    restoration.check(options)
    return this.#enqueue(options, async () => {
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

  #enqueue<T>({ signal }: PictureOptions, action: () => Promise<T>): Promise<T> {
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

/** A restored picture, before encoding. */
export abstract class PictureResult<Result> {
  protected readonly pixels: Pixels
  /** Model, device, tiles and times. */
  readonly info: RestoreInfo
  /** Restorations averaged into this one; empty unless there are several. */
  readonly samples: readonly Result[]
  /** Gray map of where the samples disagree; `info.spread` states which deviation is white. */
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
