// What can be restored, as samples.

import { decodeBytes } from '../data/codec.ts'
import type { ImageMetadata } from '../data/metadata.ts'
import { type RawInput, type ReadPicture, readRaw } from './pictures/pictureTypes.ts'

/** A path, the bytes of a file, a Blob, ImageData or samples. */
export type RestoreInput = string | Uint8Array | Blob | RawInput

export interface DecodedInput extends ReadPicture {
  readonly format: string
  readonly metadata: ImageMetadata | undefined
}

export interface ReadOptions {
  /** What errors call it. */
  readonly name?: string | undefined
  readonly pixelLimit?: number | undefined
}

/** Reads an input into samples, a quarter of the memory of planes. */
export async function readInput(
  input: RestoreInput,
  { name, pixelLimit }: ReadOptions,
): Promise<DecodedInput> {
  if (typeof input === 'object' && 'width' in input)
    return { ...readRaw(input, name ?? 'image'), format: 'png', metadata: undefined }
  const source = input instanceof Blob ? new Uint8Array(await input.arrayBuffer()) : input
  const called = name ?? (typeof source === 'string' ? source : 'image')
  const { pixels, depth, format, metadata } = await decodeBytes(source, {
    ...{ name: called, keepsWide: true },
    ...(pixelLimit === undefined ? {} : { pixelLimit }),
  })
  return { pixels, depth, format, metadata }
}
