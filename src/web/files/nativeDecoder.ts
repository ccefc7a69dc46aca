// Decodes files with the browser's codecs, without its color conversion: samples are those of the file, as Node reads
// them, and its profile says what they mean. Pictures are read in strips, since some browsers limit the size of a canvas.

import { type CanvasImageData, canvasOf } from './canvas.ts'

/** 8-bit RGBA, row by row. */
export interface Rgba {
  readonly data: Uint8ClampedArray | Uint8Array
  readonly width: number
  readonly height: number
}

interface Bitmap {
  readonly width: number
  readonly height: number
  close(): void
}

interface BitmapOptions {
  readonly imageOrientation: 'from-image'
  readonly premultiplyAlpha: 'none'
  readonly colorSpaceConversion: 'none' | 'default'
}

declare const createImageBitmap: (blob: Blob, options: BitmapOptions) => Promise<Bitmap>

/** Pixels of a strip. */
const stripPixels = 2 ** 21

/** Decodes a still picture, upright, with full opacity. */
export async function decodeOpaque(
  blob: Blob,
  colorSpaceConversion: BitmapOptions['colorSpaceConversion'] = 'none',
): Promise<Rgba> {
  return decodeStrips(blob, colorSpaceConversion, 4)
}

/** Decodes a still picture, upright, of which the first `channels` of RGBA are kept. */
export async function decodeStrips(
  blob: Blob,
  colorSpaceConversion: BitmapOptions['colorSpaceConversion'],
  channels: 1 | 3 | 4,
): Promise<Rgba & { readonly data: Uint8Array }> {
  const options = { imageOrientation: 'from-image', premultiplyAlpha: 'none', colorSpaceConversion } as const
  const bitmap = await createImageBitmap(blob, options)
  try {
    const { width, height } = bitmap
    const data = new Uint8Array(channels * width * height)
    const rows = Math.min(height, Math.max(1, Math.floor(stripPixels / width)))
    const { context } = canvasOf({ width, height: rows }, 'srgb', { willReadFrequently: true })
    for (let top = 0; top < height; top += rows) {
      context.clearRect(0, 0, width, rows)
      context.drawImage(bitmap, 0, -top)
      const count = Math.min(rows, height - top)
      const { data: strip }: CanvasImageData = context.getImageData(0, 0, width, count)
      keepChannels(strip, channels, data.subarray(channels * width * top))
    }
    return { data, width, height }
  } finally {
    bitmap.close()
  }
}

/** Copies the first channels of RGBA. */
function keepChannels(rgba: Rgba['data'], channels: number, out: Uint8Array): void {
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += channels)
    for (let c = 0; c < channels; c++) out[to + c] = rgba[from + c]!
}

interface Frame {
  /** The picture in the coded samples; null once the frame is closed. */
  readonly visibleRect: { readonly width: number; readonly height: number } | null
  copyTo(out: Uint8Array, options: { readonly format: 'RGBA' }): Promise<unknown>
  close(): void
}

interface Decoder {
  readonly tracks: {
    readonly ready: Promise<void>
    readonly selectedTrack: { readonly frameCount: number } | null
  }
  decode(options: { readonly frameIndex: number }): Promise<{ readonly image: Frame }>
  close(): void
}

interface DecoderOptions {
  readonly data: Uint8Array<ArrayBuffer>
  readonly type: string
  readonly colorSpaceConversion: 'none'
  readonly premultiplyAlpha: 'none'
}

type DecoderClass = new (options: DecoderOptions) => Decoder

function decoderClass(): DecoderClass | undefined {
  return Reflect.get(globalThis, 'ImageDecoder')
}

/** Whether this browser decodes frames of animations, and opacity without loss. */
export function hasFrameDecoder(): boolean {
  return decoderClass() !== undefined
}

/** Decodes a frame, from 0, with its opacity, as it is stored: not turned upright. */
export async function decodeFrame(
  data: Uint8Array<ArrayBuffer>,
  type: string,
  frameIndex: number,
): Promise<Rgba> {
  const ImageDecoder = decoderClass()
  if (!ImageDecoder) throw new Error('this browser decodes no frames')
  const decoder = new ImageDecoder({ data, type, colorSpaceConversion: 'none', premultiplyAlpha: 'none' })
  try {
    const { image } = await decoder.decode({ frameIndex })
    if (!image.visibleRect) throw new Error('a frame without a picture')
    const { width, height } = image.visibleRect
    const rgba = new Uint8Array(4 * width * height)
    await image.copyTo(rgba, { format: 'RGBA' })
    image.close()
    return { data: rgba, width, height }
  } finally {
    decoder.close()
  }
}

/** Counts the frames of an animation. */
export async function countFrames(data: Uint8Array<ArrayBuffer>, type: string): Promise<number> {
  const ImageDecoder = decoderClass()
  if (!ImageDecoder) return 1
  const decoder = new ImageDecoder({ data, type, colorSpaceConversion: 'none', premultiplyAlpha: 'none' })
  try {
    await decoder.tracks.ready
    return decoder.tracks.selectedTrack?.frameCount ?? 1
  } finally {
    decoder.close()
  }
}
