// What can be restored, as samples.

import { RestoreError } from '../core/errors.ts'
import { decodeBytes } from '../data/codec.ts'
import type { Pixels } from '../data/image.ts'
import type { ImageMetadata } from '../data/metadata.ts'

/** Samples in memory [h w c]; the last of 2 or 4 channels is opacity. */
export interface RawInput {
  readonly data: Uint8Array | Uint8ClampedArray | Uint16Array
  readonly width: number
  readonly height: number
  /** 4 where it is left out, as in the browser's ImageData. */
  readonly channels?: 1 | 2 | 3 | 4
  readonly depth?: 8 | 16
}

/** A path, the bytes of a file, a Blob, ImageData or samples. */
export type RestoreInput = string | Uint8Array | Blob | RawInput

export interface ReadInput {
  readonly pixels: Pixels
  /** Bits of a sample in the file. */
  readonly depth: 8 | 16
  readonly format: string
  readonly metadata: ImageMetadata | undefined
}

export interface ReadOptions {
  /** What errors call it. */
  readonly name?: string | undefined
  readonly pixelLimit?: number | undefined
}

/** Reads an input into samples, a quarter of the memory of planes. */
export async function readInput(input: RestoreInput, { name, pixelLimit }: ReadOptions): Promise<ReadInput> {
  if (typeof input === 'object' && 'width' in input) return fromRaw(input, name ?? 'image')
  const source = input instanceof Blob ? new Uint8Array(await input.arrayBuffer()) : input
  const called = name ?? (typeof source === 'string' ? source : 'image')
  const { pixels, depth, format, metadata } = await decodeBytes(source, {
    ...{ name: called, keepsWide: true },
    ...(pixelLimit === undefined ? {} : { pixelLimit }),
  })
  return { pixels, depth, format, metadata }
}

function depthOf(data: Uint8Array | Uint16Array): 8 | 16 {
  return data instanceof Uint16Array ? 16 : 8
}

function fromRaw({ data, width, height, channels = 4, depth }: RawInput, name: string): ReadInput {
  const samples =
    data instanceof Uint8ClampedArray ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data
  const wanted = `${width} × ${height} × ${channels} samples of ${depth ?? depthOf(samples)} bits`
  const isSound = [width, height].every((side) => Number.isInteger(side) && side > 0)
  if (
    !isSound ||
    samples.length !== width * height * channels ||
    (depth ?? depthOf(samples)) !== depthOf(samples)
  ) {
    throw new RestoreError(
      'input',
      `${name}: expected ${wanted}, got ${samples.length} of ${depthOf(samples)} bits`,
    )
  }
  const hasAlpha = channels % 2 === 0
  const pixels = { width, height, channels: hasAlpha ? channels - 1 : channels, hasAlpha, data: samples }
  return { pixels, depth: depthOf(samples), format: 'png', metadata: undefined }
}
