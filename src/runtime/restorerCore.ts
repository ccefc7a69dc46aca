// The part that restorers in Node and in browsers share: runs pictures through an open network, one at a
// time.

import { RestoreError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import type { Image, Pixels } from '../data/image.ts'
import type { PartedImage } from '../data/parts.ts'
import type { License } from '../models/modelCard.ts'
import { checkAborted, closed, SerialQueue } from './jobs/serialQueue.ts'
import {
  checkPlanes,
  type DecodedPicture,
  type RawPicture,
  type RestoreInfo,
  rawPicture,
} from './pictures/pictureTypes.ts'
import {
  type PictureOptions,
  pictureRules,
  type RestoredPixels,
  type RestoredPlanes,
  type TiledRestoration,
} from './tiledRestoration.ts'

/** An open network and facts about it. */
export interface RestorerSetup {
  readonly restoration: TiledRestoration
  /** Facts about the network that every result reports. */
  readonly info: Pick<
    RestoreInfo,
    'model' | 'version' | 'network' | 'sha256' | 'mix' | 'device' | 'backend' | 'dtype'
  >
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
  wrap(restored: RestoredPicture, read: Read): Result | Promise<Result>
}

/** Restored pixels with everything a result reports. */
export interface RestoredPicture extends Omit<RestoredPixels, 'info'> {
  readonly info: RestoreInfo
}

/** Reports arrays that are too large as a lack of memory. */
async function withinMemory<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new RestoreError(
      'memory',
      `restore: expected a picture that fits into memory, got one too large (${error.message}); use a smaller one, or a smaller scale`,
      { cause: error },
    )
  }
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

  /** Facts about the network that results report. @internal */
  get facts(): RestorerSetup['info'] {
    return this.#setup.info
  }

  /** License of the weights. */
  get license(): License {
    return this.#setup.license
  }

  /** Output side divided by input side. */
  get scale(): number {
    return this.#setup.restoration.scale
  }

  /**
   * Restores planes [c h w] for further processing, neither clamped nor rounded.
   * @throws RestoreError 'input' for planes that do not match their size; else as for a picture
   */
  async runPlanes(image: Image, options: PictureOptions = {}): Promise<Image> {
    checkOptions('runPlanes', options, pictureRules)
    checkPlanes(image)
    return (await this.runStep(image, options)).image
  }

  /** Like `runPlanes`, with checked arguments, for one of several steps. @internal */
  async runStep(image: Image | PartedImage, options: PictureOptions): Promise<RestoredPlanes> {
    const { restoration } = this.#setup
    restoration.check(options)
    return this.#enqueue(options, () => {
      checkMemory(image, restoration.scale, Float32Array)
      return restoration.restorePlanes(image, options)
    })
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
      checkMemory(read.pixels, restoration.scale, is16Bit ? Uint16Array : Uint8Array)
      const restored = await restoration.restorePixels(read, is16Bit, options)
      const seconds = { read: (readAt - started) / 1000, restore: (performance.now() - readAt) / 1000 }
      const notes = [...(read.notes ?? []), ...restored.notes]
      return steps.wrap({ ...restored, info: { ...info, seconds, notes, ...restored.info } }, read)
    })
  }

  #enqueue<T>({ signal }: PictureOptions, action: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      if (!this.#isClosed) return withinMemory(action)
      throw closed()
    }, signal)
  }
}

/** Refuses a result that no array can hold, before it is computed. @throws RestoreError 'memory' */
function checkMemory(
  { width, height, channels, hasAlpha }: Omit<Image, 'data'> & Partial<Pick<Pixels, 'hasAlpha'>>,
  scale: number,
  Samples: Uint8ArrayConstructor | Uint16ArrayConstructor | Float32ArrayConstructor,
): void {
  const [across, down] = [width, height].map((side) => Math.round(side * scale)) as [number, number]
  const count = across * down * (channels + (hasAlpha ? 1 : 0))
  try {
    new Samples(count)
  } catch (error) {
    throw new RestoreError(
      'memory',
      `restore: expected memory for a result of ${across} × ${down} pixels, ${((count * Samples.BYTES_PER_ELEMENT) / 1e9).toFixed(1)} GB, got too little; enlarge less, or restore a part`,
      { cause: error },
    )
  }
}

interface ResultParts<Result> {
  readonly pixels: Pixels
  /** Profile of the pixels; undefined for sRGB. */
  readonly icc: Uint8Array | undefined
  readonly info: RestoreInfo
  readonly samples?: readonly Result[] | undefined
  readonly spread?: Result | undefined
}

/** A restored picture, before encoding. */
export abstract class PictureResult<Result> {
  protected readonly pixels: Pixels
  readonly #icc: Uint8Array | undefined
  readonly #notes: string[]
  /** Model, device, tiles and times; writing adds notes on what the format left out or converted. */
  readonly info: RestoreInfo
  /** Restorations averaged into this one; empty unless there are several. */
  readonly samples: readonly Result[]
  /** Gray map of where the samples disagree; `info.spread` states which deviation is white. */
  readonly spread: Result | undefined

  protected constructor({ pixels, icc, info, samples = [], spread }: ResultParts<Result>) {
    this.pixels = pixels
    this.#icc = icc
    this.#notes = [...info.notes]
    this.info = { ...info, notes: this.#notes }
    this.samples = samples
    this.spread = spread
  }

  /** Adds notes on a format that was written. */
  protected noteWritten(notes: readonly string[]): void {
    this.#notes.push(...notes.filter((note) => !this.#notes.includes(note)))
  }

  /** The samples, in the color space of the input, which `icc` describes; not a copy. */
  raw(): RawPicture {
    return rawPicture(this.pixels, this.#icc)
  }
}
