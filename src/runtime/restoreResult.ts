// A restored picture in Node: encoded to a file, bytes or ImageData on demand.

import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import { checkOptions, either, flag, type OptionRules, oneOf, text, whole } from '../core/options.ts'
import { checkBackground } from '../data/colors/background.ts'
import type { SrgbTransform } from '../data/colors/srgbTransform.ts'
import type { DecodedPixels } from '../data/decode.ts'
import { encodeBytes, encodingNotes } from '../data/encode.ts'
import { checkExtension, formatOfExtension } from '../data/extensions.ts'
import { headBytes, imageKind } from '../data/formats/kind.ts'
import type { Pixels } from '../data/image.ts'
import { withoutLocation } from '../data/metadata/location.ts'
import { writeAtomic } from '../files/atomicWrite.ts'
import { alreadyExists } from '../files/outputErrors.ts'
import { type CanvasPicture, canvasPicture, type RestoreInfo } from './pictures/pictureTypes.ts'
import { pathOf } from './readInput.ts'
import { PictureResult } from './restorerCore.ts'

/** How a result is encoded. */
export interface WriteOptions {
  /** File format. @default from the file name's extension, else the input's format */
  readonly format?: string | undefined
  /** Quality of JPEG, WebP and AVIF, 1..100. @default 95; 80 for AVIF */
  readonly quality?: number | undefined
  /**
   * Omits all metadata and converts samples to sRGB; 'location' omits coordinates and names of places alone.
   * @default false
   */
  readonly strip?: boolean | 'location' | undefined
  /** Color that replaces transparency, as in CSS: 'white', '#ff8800'. @default that given to `run` */
  readonly background?: string | undefined
}

const writeRules: OptionRules<WriteOptions> = {
  format: text,
  quality: whole(1, 100),
  strip: either(flag, oneOf(['location'])),
  background: text,
}

/** What the result is encoded as, unless told otherwise. */
export interface ResultFile
  extends Omit<DecodedPixels, 'pixels' | 'notes'>,
    Pick<WriteOptions, 'background'> {
  /** Bytes of the input's file, if the picture did not change: they are the result where they can be. */
  readonly original?: Uint8Array | undefined
}

interface RestoreResultParts {
  readonly pixels: Pixels
  readonly file: ResultFile
  readonly toSrgb: SrgbTransform
  readonly info: RestoreInfo
  readonly samples?: readonly RestoreResult[] | undefined
  readonly spread?: RestoreResult | undefined
}

/** A restored picture, encoded on demand. */
export class RestoreResult extends PictureResult<RestoreResult> {
  readonly #file: RestoreResultParts['file']
  readonly #toSrgb: SrgbTransform

  constructor(parts: RestoreResultParts) {
    super({ ...parts, icc: parts.file.metadata?.icc })
    this.#file = parts.file
    this.#toSrgb = parts.toSrgb
  }

  /** Encodes the picture as a file in memory. @throws RestoreError 'usage' or 'output' */
  async toBuffer(options: WriteOptions = {}): Promise<Uint8Array> {
    checkOptions('toBuffer', options, writeRules)
    const { format = this.#file.format, background = this.#file.background, quality, strip } = options
    if (background !== undefined) checkBackground(background)
    const { original } = this.#file
    if (original && this.isOriginal({ strip, quality, format, background })) return original
    const { metadata } = this.#file
    const picture =
      strip === true
        ? { ...this.#file, pixels: this.#toSrgb(this.pixels), metadata: undefined }
        : {
            ...this.#file,
            pixels: this.pixels,
            metadata: strip ? metadata && (await withoutLocation(metadata)) : metadata,
          }
    const bytes = await encodeBytes({ ...picture, format }, { quality, background })
    this.noteWritten(encodingNotes(format, picture))
    return bytes
  }

  /**
   * Writes a file whole or not at all, in the format of its extension unless told otherwise.
   *
   * @throws RestoreError `usage` where the extension names another format than `format`
   * @throws RestoreError `output` where the file exists and `overwrite` is not set, or cannot be written
   */
  async toFile(
    file: string | URL,
    options: WriteOptions & { readonly overwrite?: boolean } = {},
  ): Promise<void> {
    checkOptions('toFile', options, { ...writeRules, overwrite: flag })
    const { overwrite = false, ...writing } = options
    const path = pathOf(file)
    // Encoding takes a while, which a file that is there already makes useless.
    if (!overwrite && existsSync(path)) throw alreadyExists(path)
    const extension = extname(path).slice(1)
    const format = options.format ?? formatOfExtension(extension) ?? (extension || this.#file.format)
    checkExtension(path, extension, format)
    await writeAtomic(path, await this.toBuffer({ ...writing, format }), { overwrite })
  }

  /** Whether the input's file is the result, byte for byte. @internal */
  isOriginal({ strip = false, quality, format = this.#file.format, background }: WriteOptions): boolean {
    const { original, background: set } = this.#file
    if (!original || strip !== false || quality !== undefined || (background ?? set) !== undefined)
      return false
    const kind = imageKind(original.subarray(0, headBytes))
    return kind !== undefined && formatOfExtension(kind) === formatOfExtension(format)
  }

  /** 8-bit RGBA in sRGB, for a canvas. */
  toImageData(): CanvasPicture {
    return canvasPicture(this.#toSrgb(this.pixels))
  }
}
