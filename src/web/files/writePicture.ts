// Encodes results in a browser: PNG and JPEG with Limpid's own encoders, in 16 bits and without a canvas, other types
// with the browser's. Metadata and profile of the input are kept.

import { RestoreError } from '../../core/errors.ts'
import { checkOptions, decimal, either, flag, type OptionRules, oneOf, text } from '../../core/options.ts'
import { readProfile } from '../../data/colors/iccProfile.ts'
import { insertChunks } from '../../data/colors/pngColors.ts'
import type { SrgbTransform } from '../../data/colors/srgbTransform.ts'
import { encodeJpeg } from '../../data/formats/jpegEncoder.ts'
import { encodePng } from '../../data/formats/pngSamples.ts'
import { depthNotes, isTransparent, type Pixels, peakOf, withoutAlpha } from '../../data/image.ts'
import { embedMetadata, metadataNotes } from '../../data/metadata/embed.ts'
import { embedProfile } from '../../data/metadata/embedProfile.ts'
import type { ImageMetadata } from '../../data/metadata/imageMetadata.ts'
import { withoutLocation } from '../../data/metadata/location.ts'
import { canvasPicture } from '../../runtime/pictures/pictureTypes.ts'
import { canvasOf, cssColor, imageData } from './canvas.ts'

/** How a result is encoded. */
export interface EncodeOptions {
  /** 'image/png', 'image/jpeg', 'image/webp' or another type the browser can write. @default 'image/png' */
  readonly type?: string | undefined
  /** Quality of lossy types, 0..1. @default 0.95 */
  readonly quality?: number | undefined
  /** Color that replaces transparency, as in CSS: 'white', '#ff8800'. @default transparency is kept */
  readonly background?: string | undefined
  /**
   * Omits all metadata and converts samples to sRGB; 'location' omits coordinates and names of places alone.
   * @default false
   */
  readonly strip?: boolean | 'location' | undefined
}

/** A picture to encode. */
export interface WritablePicture {
  readonly pixels: Pixels
  readonly metadata: ImageMetadata | undefined
  readonly toSrgb: SrgbTransform
}

const encodeRules: OptionRules<EncodeOptions> = {
  type: text,
  quality: decimal(0, 1),
  background: text,
  strip: either(flag, oneOf(['location'])),
}

const formats = { 'image/png': 'png', 'image/jpeg': 'jpeg', 'image/webp': 'webp' } as const

/**
 * Encodes a picture as a file.
 * @throws RestoreError 'usage' or 'output' for options the browser cannot serve
 */
export async function writePicture(picture: WritablePicture, options: EncodeOptions): Promise<Blob> {
  checkOptions('toBlob', options, encodeRules)
  const { type = 'image/png', quality = 0.95, background, strip = false } = options
  const format: 'png' | 'jpeg' | 'webp' | undefined = formats[type as keyof typeof formats]
  const flat = background === undefined ? picture.pixels : flattened(picture.pixels, cssColor(background))
  if (format === 'jpeg' && isTransparent(flat))
    throw new RestoreError(
      'output',
      'type: expected one that keeps opacity, such as image/png, or a background, got image/jpeg',
    )
  const opaque = format === 'jpeg' && flat.hasAlpha ? withoutAlpha(flat) : flat
  const kept = strip === true ? undefined : picture.metadata
  const metadata = kept && strip === 'location' ? await withoutLocation(kept) : kept
  // What the browser writes holds no gray, and other types no profile.
  const icc = metadata?.icc && format && fits(metadata.icc, format === 'webp' ? 3 : opaque.channels)
  const pixels = icc ? opaque : picture.toSrgb(opaque)
  const in8Bits = format === 'png' && picture.pixels.data instanceof Uint16Array ? pixels : to8Bits(pixels)
  const bytes = await encode(in8Bits, { type, quality })
  if (!format) return new Blob([bytes], { type })
  const { width, height } = pixels
  const isByChunks = format === 'png' && metadata?.pngColors !== undefined
  const colored = icc && !isByChunks ? embedProfile(bytes, format, metadata.icc!) : bytes
  const whole = metadata ? await embedMetadata(colored, format, { metadata, width, height }) : colored
  const file = isByChunks ? insertChunks(whole, metadata.pngColors!) : whole
  return new Blob([new Uint8Array(file)], { type })
}

/** Notes on what a type leaves out or converts, as sentences. */
export function writingNotes(
  { pixels, metadata }: Pick<WritablePicture, 'pixels' | 'metadata'>,
  { type = 'image/png', strip = false }: EncodeOptions,
): readonly string[] {
  const format = formats[type as keyof typeof formats] ?? type
  const depth = pixels.data instanceof Uint16Array ? 16 : 8
  const held = format === 'png' ? [8, 16] : [8]
  const kept = strip === true ? {} : (metadata ?? {})
  const isDropped = format === type && (kept.exif ?? kept.xmp) !== undefined
  return [
    ...depthNotes(format, { depth, written: format === 'png' ? depth : 8, held }),
    ...(isDropped ? [`left out metadata, which is not written into ${type}`] : metadataNotes(format, kept)),
  ]
}

function fits(icc: Uint8Array, channels: number): boolean {
  const profile = readProfile(icc)
  return !('fault' in profile) && profile.channels === channels
}

function to8Bits(pixels: Pixels): Pixels {
  const { data } = pixels
  if (data instanceof Uint8Array) return pixels
  const samples = new Uint8Array(data.length)
  for (let i = 0; i < samples.length; i++) samples[i] = Math.round(data[i]! / 257)
  return { ...pixels, data: samples }
}

/** Blends pixels with a color of 0..255 by their opacity, which is dropped. */
function flattened(pixels: Pixels, color: readonly number[]): Pixels {
  const { channels, hasAlpha, data } = pixels
  if (!hasAlpha) return pixels
  const peak = peakOf(data)
  const out = withoutAlpha(pixels)
  for (let i = 0; i < out.data.length; i++) {
    const share = data[Math.floor(i / channels) * (channels + 1) + channels]! / peak
    const behind = (color[i % channels]! / 255) * peak
    out.data[i] = Math.round(out.data[i]! * share + behind * (1 - share))
  }
  return out
}

async function encode(
  pixels: Pixels,
  { type, quality }: { readonly type: string; readonly quality: number },
): Promise<Uint8Array<ArrayBuffer>> {
  if (type === 'image/png') return encodePng(pixels)
  if (type === 'image/jpeg') return encodeJpeg(pixels, Math.max(1, Math.round(100 * quality)))
  const { canvas, context } = canvasOf(pixels, 'srgb')
  context.putImageData(imageData(canvasPicture(pixels), 'srgb'), 0, 0)
  const blob = await canvas.convertToBlob({ type, quality })
  if (blob.type === type) return new Uint8Array(await blob.arrayBuffer())
  throw new RestoreError(
    'output',
    `type: expected one that this browser can write, such as image/png, got ${type}`,
  )
}
