// Reads every kind of input that can be restored into samples.

import { decodeBytes } from '../data/codec.ts'
import type { ImageMetadata } from '../data/metadata.ts'
import { type DecodedPicture, type RawInput, readRaw } from './pictures/pictureTypes.ts'

/** Input of a restorer: a path, the bytes of a file, a Blob, ImageData or samples. */
export type RestoreInput = string | Uint8Array | Blob | RawInput

/** A decoded picture with what its file stated. */
export interface DecodedInput extends DecodedPicture {
  readonly format: string
  readonly metadata: ImageMetadata | undefined
}

/** Options of reading an input. */
export interface ReadOptions {
  /** Name of the input in errors. @default its path, else 'image' */
  readonly name?: string | undefined
  /** Largest number of pixels to decode. @default 268 million */
  readonly pixelLimit?: number | undefined
}

/** Reads an input as samples, which take a quarter of the memory of planes. @throws RestoreError 'input' */
export async function readInput(
  input: RestoreInput,
  { name, pixelLimit }: ReadOptions,
): Promise<DecodedInput> {
  if (typeof input === 'object' && 'width' in input)
    return { ...readRaw(input, name ?? 'image'), format: 'png', metadata: undefined }
  const source = input instanceof Blob ? new Uint8Array(await input.arrayBuffer()) : input
  const called = name ?? (typeof source === 'string' ? source : 'image')
  const { pixels, depth, format, metadata } = await decodeBytes(source, {
    name: called,
    keepsWide: true,
    ...(pixelLimit === undefined ? {} : { pixelLimit }),
  })
  return { pixels, depth, format, metadata }
}
