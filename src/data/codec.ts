// Image files in and out, by sharp (libvips).

import sharp, { type Sharp } from 'sharp'
import { viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { type Image, quantize } from './image.ts'

export interface DecodedImage {
  readonly image: Image
  /** Opacity [h w] in [0, 1], where the file has it. */
  readonly alpha: Float32Array | undefined
  readonly depth: 8 | 16
  readonly format: string
}

/** Decodes a still image into sRGB or grey planes, upright; 16-bit files keep their depth. */
export async function decodeImage(input: string | Uint8Array): Promise<DecodedImage> {
  const name = typeof input === 'string' ? input : 'image'
  try {
    const { depth, space, hasAlpha: isTransparent, pages = 1, icc, format } = await sharp(input).metadata()
    if (pages > 1) throw new Error(`an animation or document of ${pages} pages; take one out first`)
    const isDeep = depth === 'ushort'
    const isGray = space === 'b-w' || space === 'grey16'
    // Grey with opacity goes by way of colour, where libvips keeps the opacity.
    const isPlainGray = isGray && !isTransparent
    const colourspace = isPlainGray ? (isDeep ? 'grey16' : 'b-w') : isDeep ? 'rgb16' : 'srgb'
    // NOTE: sharp takes 16-bit colour from its profile to Display P3, so that step is left out. Its conversion at the end goes
    // from the profile to sRGB, but takes colour without one for P3: only where there is a profile.
    const hasDeepProfile = space === 'rgb16' && icc?.toString('latin1', 16, 20) === 'RGB '
    const upright = sharp(input, { failOn: 'error', ignoreIcc: hasDeepProfile })
      .autoOrient()
      .toColourspace(colourspace)
    const { data, info } = await (hasDeepProfile ? upright.withIccProfile('srgb') : upright)
      .raw({ depth: isDeep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const { width, height, channels: stored } = info
    const planes = toPlanes(isDeep ? viewAs(data, Uint16Array) : data, stored, isDeep ? 65535 : 255)
    const pixels = width * height
    const hasAlpha = stored === 2 || stored === 4
    const channels = isGray ? 1 : hasAlpha ? stored - 1 : stored
    return {
      image: { width, height, channels, data: planes.subarray(0, channels * pixels) },
      alpha: hasAlpha ? planes.subarray((stored - 1) * pixels) : undefined,
      depth: isDeep ? 16 : 8,
      format: format === 'heif' ? 'avif' : format,
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error)
    throw new RestoreError('input', `${name}: expected a readable still image, got: ${reason}`, {
      cause: error,
    })
  }
}

function toPlanes(values: Uint8Array | Uint16Array, channels: number, peak: number): Float32Array {
  const pixels = values.length / channels
  const planes = new Float32Array(values.length)
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < pixels; i++) planes[c * pixels + i] = (values[i * channels + c] as number) / peak
  }
  return planes
}

/** Formats that can be written, by file extension, with the options they are written with. */
const encoders: Readonly<Record<string, (pipeline: Sharp) => Sharp>> = {
  png: (pipeline) => pipeline.png(),
  jpg: (pipeline) => pipeline.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }),
  jpeg: (pipeline) => pipeline.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }),
  webp: (pipeline) => pipeline.webp({ quality: 95 }),
  tif: (pipeline) => pipeline.tiff({ compression: 'lzw' }),
  tiff: (pipeline) => pipeline.tiff({ compression: 'lzw' }),
  avif: (pipeline) => pipeline.avif({ quality: 80 }),
}

/** Whether a format can be written, and with opacity where the image has it; else an error that lists what can. */
export function checkFormat(format: string, hasAlpha: boolean): void {
  const named = Object.keys(encoders)
  if (!Object.hasOwn(encoders, format)) {
    throw new RestoreError(
      'usage',
      `output: expected a format among ${named.join(', ')}, got ${format || 'none'}`,
    )
  }
  if (hasAlpha && format.startsWith('jp')) {
    const able = named.filter((name) => !name.startsWith('jp')).join(', ')
    throw new RestoreError(
      'usage',
      `output: ${format} has no transparency, which the image has; use ${able} (--format)`,
    )
  }
}

/** Encodes planes (and opacity) for a file extension; 16-bit where the format can. */
export async function encodeImage({ image, alpha, depth, format }: DecodedImage): Promise<Uint8Array> {
  checkFormat(format, alpha !== undefined)
  const { width, height } = image
  const channels = image.channels + (alpha ? 1 : 0)
  const planes = alpha ? new Float32Array(channels * width * height) : image.data
  if (alpha) {
    planes.set(image.data)
    planes.set(alpha, image.data.length)
  }
  const all: Image = { width, height, channels, data: planes }
  const isDeep = depth === 16 && (format === 'png' || format.startsWith('tif'))
  const samples = isDeep
    ? quantize(all, 65535, new Uint16Array(planes.length))
    : quantize(all, 255, new Uint8Array(planes.length))
  const raw = { width, height, channels: channels as 1 | 2 | 3 | 4 }
  const isGray = image.channels === 1
  const colourspace = isGray ? (isDeep ? 'grey16' : 'b-w') : isDeep ? 'rgb16' : 'srgb'
  const encode = encoders[format] as (pipeline: Sharp) => Sharp
  try {
    return await encode(sharp(samples, { raw }).toColourspace(colourspace)).toBuffer()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RestoreError('output', `${format}: the image cannot be encoded: ${reason}`, { cause: error })
  }
}
