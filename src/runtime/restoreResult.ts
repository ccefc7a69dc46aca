// A restored picture in Node: encoded to a file, bytes or ImageData on demand.

import { randomBytes } from 'node:crypto'
import { access, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { messageOf, RestoreError } from '../core/errors.ts'
import { encodeBytes } from '../data/codec.ts'
import type { Pixels } from '../data/image.ts'
import type { ImageMetadata } from '../data/metadata.ts'
import { type CanvasPicture, canvasPicture, type RestoreInfo } from './pictures/pictureTypes.ts'
import { PictureResult } from './restorerCore.ts'

export interface WriteOptions {
  /** @default by the file name's extension, else the input's format */
  readonly format?: string | undefined
  /** 1..100, of JPEG, WebP and AVIF. @default 95; 80 for AVIF */
  readonly quality?: number | undefined
  /** Leaves out profile, EXIF, XMP and resolution; samples are converted to sRGB. @default false */
  readonly strip?: boolean | undefined
}

interface RestoreResultParts {
  readonly pixels: Pixels
  readonly depth: 8 | 16
  readonly format: string
  readonly metadata: ImageMetadata | undefined
  readonly info: RestoreInfo
  readonly samples?: readonly RestoreResult[] | undefined
  readonly spread?: RestoreResult | undefined
}

/** A restored picture, encoded on demand. */
export class RestoreResult extends PictureResult<RestoreResult> {
  readonly #file: Pick<RestoreResultParts, 'depth' | 'format' | 'metadata'>

  constructor(parts: RestoreResultParts) {
    super(parts)
    const { depth, format, metadata } = parts
    this.#file = { depth, format, metadata }
  }

  /** Encodes the picture to the bytes of a file. */
  async toBuffer({ format, quality, strip }: WriteOptions = {}): Promise<Uint8Array> {
    const { depth, format: inputFormat } = this.#file
    const metadata = strip ? undefined : this.#file.metadata
    const picture = { pixels: this.pixels, depth, metadata, format: format ?? inputFormat }
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
    const format = options.format ?? (extname(path).slice(1).toLowerCase() || this.#file.format)
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

  /** RGBA of 8 bits, for a canvas. */
  toImageData(): CanvasPicture {
    return canvasPicture(this.pixels)
  }
}
