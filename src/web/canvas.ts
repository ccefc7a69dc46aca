// Pictures to samples and back by the browser's own codecs. Only what is used of them is declared here: TypeScript's declarations of
// the browser would hold in all files.

import { RestoreError } from '../core/errors.ts'
import type { CanvasPicture } from '../runtime/picture.ts'

interface Bitmap {
  readonly width: number
  readonly height: number
  close(): void
}

interface Context {
  drawImage(bitmap: Bitmap, x: number, y: number): void
  getImageData(x: number, y: number, width: number, height: number): CanvasPicture
  putImageData(image: CanvasPicture, x: number, y: number): void
}

interface Canvas {
  getContext(kind: '2d'): Context | null
  convertToBlob(options: { type?: string; quality?: number }): Promise<Blob>
}

declare const OffscreenCanvas: new (width: number, height: number) => Canvas
declare const createImageBitmap: (blob: Blob, options: { imageOrientation: 'from-image' }) => Promise<Bitmap>
declare const ImageData: new (data: Uint8ClampedArray, width: number, height: number) => CanvasPicture

function drawOn({ width, height }: { readonly width: number; readonly height: number }): {
  readonly canvas: Canvas
  readonly context: Context
} {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d')
  if (context) return { canvas, context }
  throw new RestoreError('environment', `canvas: expected one of ${width} × ${height} pixels, got none`)
}

/** The picture of a file, upright and in sRGB. */
export async function decodeBlob(blob: Blob, name: string): Promise<CanvasPicture> {
  const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' }).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RestoreError(
      'input',
      `${name}: expected an image that this browser reads, got ${blob.size} bytes of ${blob.type || 'an unknown type'} (${reason})`,
    )
  })
  try {
    const { context } = drawOn(bitmap)
    context.drawImage(bitmap, 0, 0)
    return context.getImageData(0, 0, bitmap.width, bitmap.height)
  } finally {
    bitmap.close()
  }
}

/** The browser's own ImageData. */
export function imageData({ data, width, height }: CanvasPicture): CanvasPicture {
  return new ImageData(data, width, height)
}

/** The bytes of a file. */
export async function encodeBlob(
  picture: CanvasPicture,
  options: { type?: string; quality?: number },
): Promise<Blob> {
  const { canvas, context } = drawOn(picture)
  context.putImageData(imageData(picture), 0, 0)
  return canvas.convertToBlob(options)
}
