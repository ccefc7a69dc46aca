// Pictures to samples and back by the browser's own codecs. Only what is used of them is declared here: TypeScript's declarations of
// the browser would hold in all files.

import { messageOf, RestoreError } from '../core/errors.ts'
import type { CanvasPicture, RawInput } from '../runtime/pictures/pictureTypes.ts'

/** What a canvas gives and takes, in sRGB. */
export interface CanvasImageData extends CanvasPicture {
  readonly colorSpace: 'srgb'
}

interface Bitmap {
  readonly width: number
  readonly height: number
  close(): void
}

interface Context {
  drawImage(bitmap: Bitmap, x: number, y: number): void
  getImageData(x: number, y: number, width: number, height: number): CanvasImageData
  putImageData(image: CanvasImageData, x: number, y: number): void
}

interface Canvas {
  getContext(kind: '2d'): Context | null
  convertToBlob(options: EncodeOptions): Promise<Blob>
}

declare const OffscreenCanvas: new (width: number, height: number) => Canvas
declare const createImageBitmap: (blob: Blob, options: { imageOrientation: 'from-image' }) => Promise<Bitmap>
declare const ImageData: new (data: Uint8ClampedArray, width: number, height: number) => CanvasImageData

export interface EncodeOptions {
  /** 'image/png' unless given; 'image/jpeg', and what else the browser writes. */
  readonly type?: string | undefined
  /** 0 to 1, of types that lose something. */
  readonly quality?: number | undefined
}

function drawOn({ width, height }: { readonly width: number; readonly height: number }): {
  readonly canvas: Canvas
  readonly context: Context
} {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d')
  if (context) return { canvas, context }
  throw new Error(`no canvas of ${width} × ${height} pixels`)
}

/** The picture of a file, upright and in sRGB; as gray or without opacity where nothing is lost by it. */
export async function decodeBlob(blob: Blob, name: string): Promise<RawInput> {
  try {
    const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' })
    try {
      const { context } = drawOn(bitmap)
      context.drawImage(bitmap, 0, 0)
      return fewestChannels(context.getImageData(0, 0, bitmap.width, bitmap.height))
    } finally {
      bitmap.close()
    }
  } catch (error) {
    const found = `${blob.size} bytes of ${blob.type || 'an unknown type'}`
    const wanted = 'expected an image that this browser reads and has memory for'
    throw new RestoreError('input', `${name}: ${wanted}, got ${found} (${messageOf(error)})`, {
      cause: error,
    })
  }
}

function fewestChannels({ data, width, height }: CanvasPicture): RawInput {
  let [isOpaque, isGray] = [true, true]
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] !== 255) isOpaque = false
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) isGray = false
  }
  const kept = [...(isGray ? [0] : [0, 1, 2]), ...(isOpaque ? [] : [3])]
  const channels = kept.length as 1 | 2 | 3 | 4
  const samples = new Uint8Array(width * height * channels)
  for (let i = 0; i < samples.length; i++)
    samples[i] = data[4 * Math.floor(i / channels) + (kept[i % channels] as number)] as number
  return { data: samples, width, height, channels }
}

/** The browser's own ImageData. */
export function imageData({ data, width, height }: CanvasPicture): CanvasImageData {
  return new ImageData(data, width, height)
}

/** The bytes of a file. */
export async function encodeBlob(picture: CanvasPicture, options: EncodeOptions): Promise<Blob> {
  const { type = 'image/png', quality } = options
  if (quality !== undefined && !(quality >= 0 && quality <= 1))
    throw new RestoreError('usage', `quality: expected a number from 0 to 1, got ${quality}`)
  if (type === 'image/jpeg' && picture.data.some((value, i) => i % 4 === 3 && value !== 255))
    throw new RestoreError(
      'output',
      'type: expected one that keeps opacity, such as image/png, got image/jpeg',
    )
  const { canvas, context } = drawOn(picture)
  context.putImageData(imageData(picture), 0, 0)
  const blob = await canvas.convertToBlob(quality === undefined ? { type } : { type, quality })
  if (blob.type === type) return blob
  throw new RestoreError(
    'output',
    `type: expected one that this browser writes, such as image/png, got ${type}`,
  )
}
