// Messages to and from a process that reads pictures, and a decoded picture as a frame.

import { type TensorData, viewAs } from '../../core/data.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { NamedData } from '../../core/session.ts'
import type { DecodedPixels, DecodeOptions, ImageSize } from '../../data/decode.ts'
import type { ImageMetadata } from '../../data/metadata/imageMetadata.ts'

/** Asks for the size in the header of a file, and then for the samples of the same file. */
export type ReadRequest =
  | {
      readonly type: 'size'
      /** Full path; undefined if the frame has the bytes of the file. */
      readonly path: string | undefined
      readonly options: DecodeOptions
    }
  | { readonly type: 'pixels' }

/** A decoded picture without what is binary. */
type Facts = Omit<DecodedPixels, 'pixels' | 'metadata'> & {
  readonly pixels: Omit<DecodedPixels['pixels'], 'data'>
  readonly metadata: Pick<ImageMetadata, 'texts' | 'resolution'> | undefined
}

export type ReadReply =
  | { readonly type: 'size'; readonly size: ImageSize }
  | { readonly type: 'pixels'; readonly facts: Facts }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string }

const blockNames = ['icc', 'pngColors', 'exif', 'xmp', 'iptc'] as const

/** Splits a decoded picture into a message and its binary parts. */
export function toFrame({ pixels, metadata, ...rest }: DecodedPixels): [facts: Facts, parts: NamedData] {
  const { data, ...shape } = pixels
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const dtype = data instanceof Uint16Array ? 'uint16' : 'uint8'
  const parts: Record<string, TensorData> = { samples: { dtype, shape: [data.length], bytes } }
  for (const name of blockNames) {
    const block = metadata?.[name]
    if (block) parts[name] = { dtype: 'uint8', shape: [block.length], bytes: block }
  }
  const kept = metadata && { texts: metadata.texts, resolution: metadata.resolution }
  return [{ ...rest, pixels: shape, metadata: kept }, parts]
}

/** Joins what {@link toFrame} split. */
export function fromFrame({ pixels, metadata, ...rest }: Facts, parts: NamedData): DecodedPixels {
  const { samples, ...blocks } = parts
  if (!samples) throw new TypeError('expected the samples of a picture')
  const data = samples.dtype === 'uint16' ? viewAs(samples.bytes, Uint16Array) : samples.bytes
  const named = Object.fromEntries(Object.entries(blocks).map(([name, { bytes }]) => [name, bytes]))
  return { ...rest, pixels: { ...pixels, data }, metadata: metadata && { ...metadata, ...named } }
}
