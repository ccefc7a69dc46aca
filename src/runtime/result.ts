// A restored picture: samples that become a file, bytes or ImageData when asked for.

import { randomBytes } from 'node:crypto'
import { access, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { ModelId } from '../checkpoints/detect.ts'
import { RestoreError } from '../core/errors.ts'
import { encodeBytes } from '../data/codec.ts'
import { type Pixels, peakOf } from '../data/image.ts'
import type { ImageMetadata } from '../data/metadata.ts'
import type { Sampler } from '../diffusion/irsde.ts'

export interface RestoreInfo {
  /** Id of the model that was asked for, else the name of the network that the weights are of. */
  readonly model: string
  readonly network: ModelId
  /** Of the weights file. */
  readonly sha256: string
  /** What really computed: 'cpu', 'webgpu' or 'cuda:N'. */
  readonly device: string
  readonly backend: 'onnx' | 'torch'
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
  /** Deviation of several samples from each other, 0 to 255: the mean over the picture, and what is white in `spread`. */
  readonly spread?: { readonly mean255: number; readonly white255: number }
  /** In seconds. */
  readonly seconds: { readonly read: number; readonly restore: number }
}

export interface WriteOptions {
  /** By the name's extension, else that of the input. */
  readonly format?: string | undefined
  /** 1..100 of JPEG, WebP and AVIF; 95, and 80 of AVIF, unless given. */
  readonly quality?: number | undefined
  /** Leaves out profile, EXIF, XMP and resolution; the samples are then sRGB. */
  readonly strip?: boolean | undefined
}

/** Samples [h w c], opacity last where there is some. */
export interface RawPicture {
  readonly data: Uint8Array | Uint16Array
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly depth: 8 | 16
}

interface ResultOptions {
  readonly pixels: Pixels
  readonly depth: 8 | 16
  readonly format: string
  readonly metadata: ImageMetadata | undefined
  readonly info: RestoreInfo
  readonly samples?: readonly RestoreResult[] | undefined
  readonly spread?: RestoreResult | undefined
}

export class RestoreResult {
  readonly #options: ResultOptions

  constructor(options: ResultOptions) {
    this.#options = options
  }

  get info(): RestoreInfo {
    return this.#options.info
  }

  /** The restorations whose mean this is, where several were asked for. */
  get samples(): readonly RestoreResult[] {
    return this.#options.samples ?? []
  }

  /** Where those disagree, as a grey picture; white is told by `info.spread`. */
  get spread(): RestoreResult | undefined {
    return this.#options.spread
  }

  /** The bytes of a file. */
  async toBuffer({ format, quality, strip }: WriteOptions = {}): Promise<Uint8Array> {
    const chosen = format ?? this.#options.format
    const metadata = strip ? undefined : this.#options.metadata
    const picture = { ...this.#options, metadata, format: chosen }
    return encodeBytes(picture, quality === undefined ? {} : { quality })
  }

  /** Writes a file that appears whole or not at all; one that exists stays unless told to overwrite it. */
  async toFile(path: string, options: WriteOptions & { readonly overwrite?: boolean } = {}): Promise<void> {
    const exists = async () =>
      access(path).then(
        () => true,
        () => false,
      )
    if (!options.overwrite && (await exists())) {
      throw new RestoreError('output', `${path}: exists already; give another name, or overwrite`)
    }
    const format = options.format ?? (extname(path).slice(1).toLowerCase() || this.#options.format)
    const bytes = await this.toBuffer({ ...options, format })
    const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
    try {
      await writeFile(temporary, bytes, { flag: 'wx' })
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      const reason = error instanceof Error ? error.message : String(error)
      throw new RestoreError('output', `${path}: cannot be written (${reason})`, { cause: error })
    }
  }

  /** The samples as they are, in sRGB; not a copy. */
  raw(): RawPicture {
    const { width, height, channels, hasAlpha, data } = this.#options.pixels
    const depth = data instanceof Uint16Array ? 16 : 8
    return { data, width, height, channels: channels + (hasAlpha ? 1 : 0), depth }
  }

  /** RGBA of 8 bits, as a canvas takes it. */
  toImageData(): { readonly data: Uint8ClampedArray; readonly width: number; readonly height: number } {
    const { width, height, channels, hasAlpha, data } = this.#options.pixels
    const step = channels + (hasAlpha ? 1 : 0)
    const gain = 255 / peakOf(data)
    const rgba = new Uint8ClampedArray(4 * width * height)
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++)
        rgba[4 * i + c] = (data[i * step + (channels === 1 ? 0 : c)] as number) * gain
      rgba[4 * i + 3] = hasAlpha ? (data[i * step + channels] as number) * gain : 255
    }
    return { data: rgba, width, height }
  }
}
