// The browser's canvas. Declares only what is used of it, because TypeScript's DOM library would apply to all files.

import { RestoreError } from '../../core/errors.ts'
import type { CanvasPicture } from '../../runtime/pictures/pictureTypes.ts'

/** Color spaces of canvases. */
export type ColorSpace = 'srgb' | 'display-p3'

/** The browser's ImageData: 8-bit RGBA. */
export interface CanvasImageData extends CanvasPicture {
  readonly colorSpace: ColorSpace
}

interface Context {
  drawImage(bitmap: object, x: number, y: number): void
  getImageData(x: number, y: number, width: number, height: number): CanvasImageData
  putImageData(image: CanvasImageData, x: number, y: number): void
  clearRect(x: number, y: number, width: number, height: number): void
  fillRect(x: number, y: number, width: number, height: number): void
  fillStyle: string
}

interface Canvas {
  getContext(
    kind: '2d',
    options: { readonly colorSpace: ColorSpace; readonly willReadFrequently?: boolean },
  ): Context | null
  convertToBlob(options: { readonly type: string; readonly quality?: number }): Promise<Blob>
}

declare const OffscreenCanvas: new (width: number, height: number) => Canvas
declare const ImageData: new (
  data: Uint8ClampedArray,
  width: number,
  height: number,
  options: { readonly colorSpace: ColorSpace },
) => CanvasImageData

/** Creates a canvas. @throws Error if the browser has no memory for it */
export function canvasOf(
  { width, height }: { readonly width: number; readonly height: number },
  colorSpace: ColorSpace,
  options: { readonly willReadFrequently?: boolean } = {},
): { readonly canvas: Canvas; readonly context: Context } {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d', { colorSpace, ...options })
  if (context) return { canvas, context }
  throw new Error(`canvas of ${width} × ${height} pixels not available`)
}

/** Creates the browser's own ImageData. */
export function imageData({ data, width, height }: CanvasPicture, colorSpace: ColorSpace): CanvasImageData {
  return new ImageData(data, width, height, { colorSpace })
}

/** A color of CSS as red, green and blue in 0..255. @throws RestoreError 'usage' where it is none */
export function cssColor(color: string): readonly [number, number, number] {
  const { context } = canvasOf({ width: 1, height: 1 }, 'srgb')
  // An invalid color leaves the one before.
  const isColor = ['#000', '#fff'].some((before) => {
    context.fillStyle = before
    const unchanged = context.fillStyle
    context.fillStyle = color
    return context.fillStyle !== unchanged
  })
  if (!isColor)
    throw new RestoreError('usage', `background: expected a color as in CSS, such as white, got ${color}`)
  context.fillRect(0, 0, 1, 1)
  const { data } = context.getImageData(0, 0, 1, 1)
  return [data[0]!, data[1]!, data[2]!]
}
