// A restored picture: samples that become a file, bytes or ImageData when asked for.

import { randomBytes } from 'node:crypto'
import { access, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { messageOf, RestoreError } from '../core/errors.ts'
import { encodeBytes } from '../data/codec.ts'
import type { Pixels } from '../data/image.ts'
import type { ImageMetadata } from '../data/metadata.ts'
import {
  type CanvasPicture,
  canvasPicture,
  type RawPicture,
  type RestoreInfo,
  rawPicture,
} from './pictures/pictureTypes.ts'

export interface WriteOptions {
  /** By the name's extension, else that of the input. */
  readonly format?: string | undefined
  /** 1..100 of JPEG, WebP and AVIF; 95, and 80 of AVIF, unless given. */
  readonly quality?: number | undefined
  /** Leaves out profile, EXIF, XMP and resolution; the samples are then sRGB. */
  readonly strip?: boolean | undefined
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

  /** Where those disagree, as a gray picture; white is told by `info.spread`. */
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
      const reason = messageOf(error)
      throw new RestoreError('output', `${path}: cannot be written (${reason})`, { cause: error })
    }
  }

  /** The samples as they are, in sRGB; not a copy. */
  raw(): RawPicture {
    return rawPicture(this.#options.pixels)
  }

  /** RGBA of 8 bits, as a canvas takes it. */
  toImageData(): CanvasPicture {
    return canvasPicture(this.#options.pixels)
  }
}
