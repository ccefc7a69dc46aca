// Image files in and out, by sharp (libvips).

import sharp, { type Sharp } from 'sharp'
import { RestoreError } from '../core/errors.ts'
import { type Image, quantize } from './image.ts'

export interface DecodedImage {
  readonly image: Image
  /** Opacity [h w] in [0, 1], where the file has it. */
  readonly alpha: Float32Array | undefined
  readonly depth: 8 | 16
  readonly format: string
}

/** Decodes a file into sRGB or grey planes, upright; 16-bit files keep their depth. */
export async function decodeImage(input: string | Uint8Array): Promise<DecodedImage> {
  const name = typeof input === 'string' ? input : 'image'
  try {
    const pipeline = sharp(input, { failOn: 'error' })
    const { depth: stored, format = 'unknown', hasAlpha = false, space } = await pipeline.metadata()
    const isDeep = stored === 'ushort'
    const isGray = space === 'b-w' || space === 'grey16'
    const colourspace = isGray ? (isDeep ? 'grey16' : 'b-w') : isDeep ? 'rgb16' : 'srgb'
    const { data, info } = await pipeline
      .autoOrient()
      .toColourspace(colourspace)
      .raw({ depth: isDeep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const values = isDeep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data
    const planes = toPlanes(values, info.channels, isDeep ? 65535 : 255)
    const pixels = info.width * info.height
    const channels = hasAlpha ? info.channels - 1 : info.channels
    return {
      image: {
        width: info.width,
        height: info.height,
        channels,
        data: planes.subarray(0, channels * pixels),
      },
      alpha: hasAlpha ? planes.subarray(channels * pixels) : undefined,
      depth: isDeep ? 16 : 8,
      format,
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error)
    throw new RestoreError('input', `${name}: expected a readable image, got: ${reason}`, { cause: error })
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

/** Encodes planes (and opacity) for a file extension; 16-bit where the format can. */
export async function encodeImage({ image, alpha, depth, format }: DecodedImage): Promise<Uint8Array> {
  const encode = encoders[format]
  if (!encode)
    throw new RestoreError(
      'usage',
      `output: expected a format among ${Object.keys(encoders).join(', ')}, got ${format}`,
    )
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
  const pipeline = sharp(samples, { raw }).toColourspace(
    isGray ? (isDeep ? 'grey16' : 'b-w') : isDeep ? 'rgb16' : 'srgb',
  )
  return encode(pipeline).toBuffer()
}
