// A restored picture in a browser: drawn on a canvas or encoded on demand.

import type { Pixels } from '../data/image.ts'
import { canvasPicture, type RestoreInfo } from '../runtime/pictures/pictureTypes.ts'
import { PictureResult } from '../runtime/restorerCore.ts'
import { type CanvasImageData, type EncodeOptions, encodeBlob, imageData } from './canvas.ts'

interface WebResultParts {
  readonly pixels: Pixels
  readonly info: RestoreInfo
  readonly samples?: readonly WebResult[] | undefined
  readonly spread?: WebResult | undefined
}

export class WebResult extends PictureResult<WebResult> {
  constructor(parts: WebResultParts) {
    super(parts)
  }

  /** ImageData for a canvas. */
  toImageData(): CanvasImageData {
    return imageData(canvasPicture(this.pixels))
  }

  /** Encodes a file by the browser's codecs, which keep sRGB of 8 bits. */
  toBlob(options: EncodeOptions = {}): Promise<Blob> {
    return encodeBlob(canvasPicture(this.pixels), options)
  }
}
