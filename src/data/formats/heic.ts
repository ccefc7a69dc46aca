// Decodes the pixels of HEIC with libheif in WebAssembly, since the bundled libvips lacks HEVC; it reads everything
// else of the file. ISO/IEC 23008-12.

import { viewAs } from '../../core/data.ts'
import type { Pixels } from '../image.ts'

/** What is used of libheif-js, which has no types for it. */
export interface LibHeif {
  readonly heif_colorspace: { readonly heif_colorspace_RGB: unknown }
  readonly heif_chroma: Readonly<Record<string, unknown>>
  heif_context_alloc(): unknown
  heif_context_free(context: unknown): void
  heif_context_read_from_memory(context: unknown, file: Uint8Array): HeifError
  heif_js_context_get_primary_image_handle(context: unknown): unknown
  heif_js_decode_image2(handle: unknown, colorspace: unknown, chroma: unknown): HeifImage | HeifError
  heif_image_release(image: unknown): void
  heif_image_handle_release(handle: unknown): void
}

interface HeifError {
  readonly message: string
}

interface HeifImage {
  readonly image: unknown
  readonly channels: readonly HeifPlane[]
}

/** Interleaved samples; those of more than 8 bits are little-endian, in the lower bits of 16. */
interface HeifPlane {
  readonly width: number
  readonly height: number
  /** Bytes of a row. */
  readonly stride: number
  readonly bits_per_pixel: number
  readonly data: Uint8Array
}

/** What the header tells of the primary picture. */
export interface HeicHeader {
  readonly hasAlpha: boolean
  readonly is16Bit: boolean
}

/**
 * Decodes the primary picture, upright; 10 and 12 bits fill 16.
 * @throws Error for damaged files
 */
export function decodeHeic(heif: LibHeif, file: Uint8Array, { hasAlpha, is16Bit }: HeicHeader): Pixels {
  const context = heif.heif_context_alloc()
  try {
    const opened = heif.heif_context_read_from_memory(context, file)
    if (opened.message !== 'Success') throw damaged(opened)
    const handle = heif.heif_js_context_get_primary_image_handle(context)
    const kind = `${is16Bit ? (hasAlpha ? 'RRGGBBAA_LE' : 'RRGGBB_LE') : hasAlpha ? 'RGBA' : 'RGB'}`
    const chroma = heif.heif_chroma[`heif_chroma_interleaved_${kind}`]
    const decoded = heif.heif_js_decode_image2(handle, heif.heif_colorspace.heif_colorspace_RGB, chroma)
    heif.heif_image_handle_release(handle)
    if (!('channels' in decoded)) throw damaged(decoded)
    const [plane] = decoded.channels
    if (!plane) throw new Error('a HEIC without pixels; export it again')
    const data = samplesOf(plane, hasAlpha ? 4 : 3, is16Bit)
    heif.heif_image_release(decoded.image)
    return { width: plane.width, height: plane.height, channels: 3, hasAlpha, data }
  } finally {
    heif.heif_context_free(context)
  }
}

/** Copies the rows without their padding. */
function samplesOf(plane: HeifPlane, channels: number, is16Bit: boolean): Uint8Array | Uint16Array {
  const { width, height, stride, data, bits_per_pixel: bits } = plane
  const rowBytes = width * channels * (is16Bit ? 2 : 1)
  const bytes = new Uint8Array(rowBytes * height)
  for (let y = 0; y < height; y++) bytes.set(data.subarray(y * stride, y * stride + rowBytes), y * rowBytes)
  if (!is16Bit) return bytes
  const samples = viewAs(bytes, Uint16Array)
  const peak = 2 ** bits - 1
  for (let i = 0; i < samples.length; i++) samples[i] = Math.round((samples[i]! / peak) * 65535)
  return samples
}

function damaged({ message }: HeifError): Error {
  const [reason = ''] = message.trim().split('\n')
  return new Error(`a damaged HEIC (${reason.slice(0, 120)}); download or export it again`)
}
