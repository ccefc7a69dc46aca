// A restored picture in Node: encoded to a file, bytes or ImageData on demand.

import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import { encodeBytes } from '../data/codec.ts'
import type { Pixels } from '../data/image.ts'
import type { ImageMetadata } from '../data/metadata.ts'
import { writeAtomic } from '../files/atomicWrite.ts'
import { alreadyExists } from '../files/outputErrors.ts'
import { type CanvasPicture, canvasPicture, type RestoreInfo } from './pictures/pictureTypes.ts'
import { PictureResult } from './restorerCore.ts'

/** How a result is encoded. */
export interface WriteOptions {
  /** File format. @default from the file name's extension, else the input's format */
  readonly format?: string | undefined
  /** Quality of JPEG, WebP and AVIF, 1..100. @default 95; 80 for AVIF */
  readonly quality?: number | undefined
  /** Omits profile, EXIF, XMP and resolution and converts samples to sRGB. @default false */
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

  /** Encodes the picture as a file in memory. @throws RestoreError 'usage' or 'output' */
  async toBuffer({ format, quality, strip }: WriteOptions = {}): Promise<Uint8Array> {
    const { depth, format: inputFormat } = this.#file
    const metadata = strip ? undefined : this.#file.metadata
    const picture = { pixels: this.pixels, depth, metadata, format: format ?? inputFormat }
    return encodeBytes(picture, quality === undefined ? {} : { quality })
  }

  /**
   * Writes a file whole or not at all, in the format of its extension unless told otherwise.
   *
   * @throws RestoreError `output` where the file exists and `overwrite` is not set, or cannot be written
   */
  async toFile(path: string, options: WriteOptions & { readonly overwrite?: boolean } = {}): Promise<void> {
    const { overwrite = false } = options
    // Encoding takes a while, which a file that is there already makes useless.
    if (!overwrite && existsSync(path)) throw alreadyExists(path)
    const format = options.format ?? (extname(path).slice(1).toLowerCase() || this.#file.format)
    await writeAtomic(path, await this.toBuffer({ ...options, format }), { overwrite })
  }

  /** 8-bit RGBA, for a canvas. */
  toImageData(): CanvasPicture {
    return canvasPicture(this.pixels)
  }
}
