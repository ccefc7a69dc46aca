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

/** A restored picture, encoded on demand. */
export class WebResult extends PictureResult<WebResult> {
  constructor(parts: WebResultParts) {
    super(parts)
  }

  /** Converts the picture to ImageData for a canvas. */
  toImageData(): CanvasImageData {
    return imageData(canvasPicture(this.pixels))
  }

  /**
   * Encodes the picture with the browser's codecs, as 8-bit sRGB.
   * @throws RestoreError 'usage' or 'output'
   */
  toBlob(options: EncodeOptions = {}): Promise<Blob> {
    return encodeBlob(canvasPicture(this.pixels), options)
  }
}
