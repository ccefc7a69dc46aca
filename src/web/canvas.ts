// Decodes and encodes pictures with the browser's codecs. Declares only the browser API it uses, because
// TypeScript's DOM library would apply to all files.

import { messageOf, RestoreError } from '../core/errors.ts'
import type { CanvasPicture, RawInput } from '../runtime/pictures/pictureTypes.ts'

/** The browser's ImageData: 8-bit RGBA in sRGB. */
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

/** How a result is encoded. */
export interface EncodeOptions {
  /** 'image/png', 'image/jpeg' or another type the browser can write. @default 'image/png' */
  readonly type?: string | undefined
  /** Quality of lossy types, 0..1. @default as the browser chooses */
  readonly quality?: number | undefined
}

function drawOn({ width, height }: { readonly width: number; readonly height: number }): {
  readonly canvas: Canvas
  readonly context: Context
} {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d')
  if (context) return { canvas, context }
  throw new Error(`canvas of ${width} × ${height} pixels not available`)
}

/**
 * Decodes a file, upright and in sRGB; as gray or without opacity if nothing is lost.
 * @throws RestoreError 'input' if the browser cannot decode it
 */
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
    const got = `${blob.size} bytes of ${blob.type || 'an unknown type'}`
    const expected = 'expected an image that this browser can read and has memory for'
    throw new RestoreError('input', `${name}: ${expected}, got ${got} (${messageOf(error)})`, {
      cause: error,
    })
  }
}

/** Drops opacity where it is full everywhere, and color where all pixels are gray. */
function fewestChannels({ data, width, height }: CanvasPicture): RawInput {
  let isOpaque = true
  let isGray = true
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] !== 255) isOpaque = false
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) isGray = false
  }
  const kept = [...(isGray ? [0] : [0, 1, 2]), ...(isOpaque ? [] : [3])]
  const channels = kept.length as 1 | 2 | 3 | 4
  const samples = new Uint8Array(width * height * channels)
  for (let i = 0; i < samples.length; i++)
    samples[i] = data[4 * Math.floor(i / channels) + kept[i % channels]!]!
  return { data: samples, width, height, channels }
}

/** Creates the browser's own ImageData. */
export function imageData({ data, width, height }: CanvasPicture): CanvasImageData {
  return new ImageData(data, width, height)
}

/**
 * Encodes a picture as a file.
 * @throws RestoreError 'usage' or 'output' for options the browser cannot serve
 */
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
    `type: expected one that this browser can write, such as image/png, got ${type}`,
  )
}
