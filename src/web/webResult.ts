// A restored picture in a browser: samples that go onto a canvas or into a file.

import type { Pixels } from '../data/image.ts'
import {
  canvasPicture,
  type RawPicture,
  type RestoreInfo,
  rawPicture,
} from '../runtime/pictures/pictureTypes.ts'
import { type CanvasImageData, type EncodeOptions, encodeBlob, imageData } from './canvas.ts'

export interface WebInfo extends Omit<RestoreInfo, 'sha256'> {
  /** Of the weights; undefined in pages that are not served safely (https, or the own machine), where browsers compute none. */
  readonly sha256: string | undefined
}

interface WebResultParts {
  readonly pixels: Pixels
  readonly info: WebInfo
  readonly samples?: readonly WebResult[] | undefined
  readonly spread?: WebResult | undefined
}

export class WebResult {
  readonly #pixels: Pixels
  readonly info: WebInfo
  /** The restorations whose mean this is, where several were asked for. */
  readonly samples: readonly WebResult[]
  /** Where those disagree, as a gray picture; white is told by `info.spread`. */
  readonly spread: WebResult | undefined

  constructor({ pixels, info, samples = [], spread }: WebResultParts) {
    this.#pixels = pixels
    this.info = info
    this.samples = samples
    this.spread = spread
  }

  /** The samples as they are, in sRGB; not a copy. */
  raw(): RawPicture {
    return rawPicture(this.#pixels)
  }

  /** What `putImageData` of a canvas takes. */
  toImageData(): CanvasImageData {
    return imageData(canvasPicture(this.#pixels))
  }

  /** A file by the browser's codecs, which keep sRGB of 8 bits. */
  toBlob(options: EncodeOptions = {}): Promise<Blob> {
    return encodeBlob(canvasPicture(this.#pixels), options)
  }
}
