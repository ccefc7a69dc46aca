// A restored picture in a browser: samples that go onto a canvas or into a file.

import type { Pixels } from '../data/image.ts'
import {
  type CanvasPicture,
  canvasPicture,
  type RawPicture,
  type RestoreInfo,
  rawPicture,
} from '../runtime/picture.ts'
import { encodeBlob, imageData } from './canvas.ts'

export interface WebResultParts {
  readonly pixels: Pixels
  readonly info: RestoreInfo
  readonly samples?: readonly WebResult[] | undefined
  readonly spread?: WebResult | undefined
}

export class WebResult {
  readonly #pixels: Pixels
  readonly info: RestoreInfo
  /** The restorations whose mean this is, where several were asked for. */
  readonly samples: readonly WebResult[]
  /** Where those disagree, as a grey picture; white is told by `info.spread`. */
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
  toImageData(): CanvasPicture {
    return imageData(canvasPicture(this.#pixels))
  }

  /** A file by the browser's codecs: PNG unless another type is named, `quality` 0 to 1 of those that have one. */
  toBlob(options: { type?: string; quality?: number } = {}): Promise<Blob> {
    return encodeBlob(canvasPicture(this.#pixels), options)
  }
}
