// A restored picture in a browser: drawn on a canvas or encoded on demand.

import { profileOfPoints } from '../data/colors/codingPoints.ts'
import { readProfile } from '../data/colors/iccProfile.ts'
import { type SrgbTransform, srgbTransform } from '../data/colors/srgbTransform.ts'
import type { Pixels } from '../data/image.ts'
import type { ImageMetadata } from '../data/metadata/imageMetadata.ts'
import { canvasPicture, type RestoreInfo } from '../runtime/pictures/pictureTypes.ts'
import { blendPixels } from '../runtime/pictures/resample.ts'
import { PictureResult, type RestoredPicture } from '../runtime/restorerCore.ts'
import { type CanvasImageData, type ColorSpace, imageData } from './files/canvas.ts'
import { convertByBrowser } from './files/convertByBrowser.ts'
import { type ReadPicture, readPicture } from './files/readPicture.ts'
import { type EncodeOptions, writePicture, writingNotes } from './files/writePicture.ts'

interface WebResultParts {
  readonly pixels: Pixels
  readonly metadata: ImageMetadata | undefined
  readonly toSrgb: SrgbTransform
  readonly info: RestoreInfo
  /** The input's file, if the picture did not change. */
  readonly original?: Blob | undefined
  readonly samples?: readonly WebResult[] | undefined
  readonly spread?: WebResult | undefined
}

/** A restored picture, encoded on demand. */
export class WebResult extends PictureResult<WebResult> {
  readonly #toSrgb: SrgbTransform
  /** What the input's file says about its picture, which the result's file says again. @internal */
  readonly metadata: ImageMetadata | undefined
  /** The input's file, if the picture did not change: it is the result where it can be. */
  readonly original: Blob | undefined

  constructor(parts: WebResultParts) {
    super({ ...parts, icc: parts.metadata?.icc })
    this.#toSrgb = parts.toSrgb
    this.metadata = parts.metadata
    this.original = parts.original
  }

  /** The same result with other facts. @internal */
  withInfo(info: RestoreInfo): WebResult {
    const { pixels, metadata, original, samples, spread } = this
    return new WebResult({ pixels, metadata, toSrgb: this.#toSrgb, info, original, samples, spread })
  }

  /**
   * Blends the result with its input, as the option `strength` does, without restoring again: `strength` (0..1) of the
   * result, the rest of the input.
   * @throws RestoreError 'input' for a file that cannot be read or is of another picture
   */
  async blendedWith(input: Blob, strength: number): Promise<WebResult> {
    const { pixels } = await readPicture(input, {})
    const { metadata, info, samples, spread } = this
    const parts = { metadata, info, samples, spread, toSrgb: this.#toSrgb }
    return new WebResult({ ...parts, pixels: blendPixels(this.pixels, pixels, strength) })
  }

  /** Converts the picture to ImageData for a canvas: in Display P3 if the input is, else in sRGB. */
  toImageData(): CanvasImageData {
    const colorSpace = colorSpaceOf(this.metadata?.icc)
    const pixels = colorSpace === 'srgb' ? this.#toSrgb(this.pixels) : this.pixels
    return imageData(canvasPicture(pixels), colorSpace)
  }

  /**
   * Encodes the picture with the metadata and profile of the input; PNG keeps 16 bits.
   * @throws RestoreError 'usage' or 'output'
   */
  async toBlob(options: EncodeOptions = {}): Promise<Blob> {
    const { type = 'image/png', quality, background, strip = false } = options
    const { original } = this
    const isAsked = quality === undefined && background === undefined && strip === false
    if (original && isAsked && original.type === type) return original
    const picture = { pixels: this.pixels, metadata: this.metadata, toSrgb: this.#toSrgb }
    const file = await writePicture(picture, options)
    this.noteWritten(writingNotes(picture, options))
    return file
  }
}

/** Display P3 if a profile describes it, whoever wrote it. */
function colorSpaceOf(icc: Uint8Array | undefined): ColorSpace {
  const profile = icc && readProfile(icc)
  const p3 = readProfile(profileOfPoints({ primaries: 12, transfer: 13 })!)
  if (!profile || 'fault' in profile || 'fault' in p3 || !profile.matrix || !profile.curves) return 'srgb'
  const isNear = (a: number, b: number) => Math.abs(a - b) < 0.002
  const isMatrix = profile.matrix.every((value, i) => isNear(value, p3.matrix![i]!))
  const isCurve = profile.curves.every((curve) =>
    [0.1, 0.5, 0.9].every((x) => isNear(curve(x), p3.curves![0]!(x))),
  )
  return isMatrix && isCurve ? 'display-p3' : 'srgb'
}

/** Wraps restored pixels with what the file of the input states. */
export async function wrapResult(
  { pixels, samples, spread, info }: RestoredPicture,
  { metadata }: Pick<ReadPicture, 'metadata'>,
  original?: Blob | undefined,
): Promise<WebResult> {
  const toSrgb = await srgbTransform(metadata?.icc, convertByBrowser)
  const plain = { metadata: undefined, toSrgb: (one: Pixels) => one, info }
  return new WebResult({
    ...{ pixels, metadata, toSrgb, info, original },
    samples: samples.map((one) => new WebResult({ pixels: one, metadata, toSrgb, info })),
    spread: spread && new WebResult({ pixels: spread, ...plain }),
  })
}
