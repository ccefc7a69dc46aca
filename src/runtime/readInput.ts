// Reads every kind of input that can be restored into samples.

import { existsSync } from 'node:fs'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Sharp } from 'sharp'
import { messageOf, RestoreError } from '../core/errors.ts'
import {
  decimal,
  describeValue,
  type OptionRules,
  oneOf,
  signal as signalRule,
  text,
  whole,
} from '../core/options.ts'
import { shownText } from '../core/text.ts'
import { srgbTransform } from '../data/colors/srgbTransform.ts'
import type { DecodedPixels, DecodeOptions } from '../data/decode.ts'
import { readIfPipe } from '../data/pipes.ts'
import { convertByProfile } from '../data/sharpRaster.ts'
import { untilAborted } from './jobs/serialQueue.ts'
import { type RawInput, readRaw } from './pictures/pictureTypes.ts'
import { decodeElsewhere } from './reading/readerProcess.ts'

/**
 * Input of a restorer: a path or `file:` URL, the bytes of a file in a buffer, Blob or stream, an instance of sharp, or
 * ImageData or samples. Streams are read to their end.
 */
export type RestoreInput =
  | string
  | URL
  | ArrayBuffer
  | SharedArrayBuffer
  | ArrayBufferView
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Sharp
  | RawInput

/** A decoded picture with what its file stated. */
export type DecodedInput = DecodedPixels

/** Options of reading an input. */
export interface ReadOptions {
  /** Name of the input in errors. @default its path, else 'image' */
  readonly name?: string | undefined
  /** Largest number of pixels to decode. @default 268 million */
  readonly pixelLimit?: number | undefined
  /** Color space of the samples: that of the file, or sRGB. @default 'file' */
  readonly colors?: DecodeOptions['colors']
  /** Page of a document or frame of an animation, from 1. @default a file of several is refused */
  readonly page?: number | undefined
  /** Cancels reading at once. */
  readonly signal?: AbortSignal | undefined
}

export const readRules: OptionRules<ReadOptions> = {
  name: text,
  pixelLimit: decimal(1, Number.MAX_SAFE_INTEGER),
  colors: oneOf(['file', 'srgb']),
  page: whole(1),
  signal: signalRule,
}

/**
 * Reads an input as samples, which take a quarter of the memory of planes.
 * @throws RestoreError 'input' for what cannot be read, 'usage' for a value that is no input
 */
export async function readInput(
  input: RestoreInput,
  { name, pixelLimit, colors = 'file', page, signal }: ReadOptions,
): Promise<DecodedInput> {
  if (isRaw(input)) {
    const { pixels, ...raw } = readRaw(input, name ?? 'image')
    if (colors === 'file') return { pixels, ...raw, format: 'png' }
    const toSrgb = await srgbTransform(raw.metadata?.icc, convertByProfile)
    return { pixels: toSrgb(pixels), depth: raw.depth, format: 'png' }
  }
  const file = await untilAborted(fileOf(input, name ?? 'image'), signal)
  const called = name ?? (typeof file === 'string' ? file : 'image')
  const options = { name: called, colors, page, ...(pixelLimit === undefined ? {} : { pixelLimit }) }
  // Pipes of this process do not exist in another; what is no file either is reported there.
  const source = typeof file === 'string' ? await readIfPipe(file, signal).catch(() => file) : file
  return decodeElsewhere(source, options, signal)
}

function isRaw(input: RestoreInput): input is RawInput {
  return typeof input === 'object' && input !== null && 'width' in input && 'data' in input
}

/** Path or bytes of a file. */
async function fileOf(input: Exclude<RestoreInput, RawInput>, name: string): Promise<string | Uint8Array> {
  if (typeof input === 'string') return pathOf(input)
  if (input instanceof Uint8Array) return input
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
  if (input instanceof ArrayBuffer || input instanceof SharedArrayBuffer) return new Uint8Array(input)
  if (input instanceof Blob) return new Uint8Array(await input.arrayBuffer())
  if (input instanceof URL) return pathOf(input)
  if (isSharp(input)) return bytesOf(() => renderedBy(input), name)
  if (isStream(input)) return bytesOf(() => collect(input, name), name)
  throw new RestoreError(
    'usage',
    `${name}: expected a path, a file: URL, the bytes of a file, a Blob, a stream, an instance of sharp, or samples with width and height, got ${describeValue(input)}`,
  )
}

/** The path of a file, given as such or as a file: URL. @throws RestoreError 'usage' for anything else */
export function pathOf(file: string | URL): string {
  if (file instanceof URL) return pathOfUrl(file)
  if (typeof file === 'string' && addresses.test(file) && URL.canParse(file) && !existsSync(file))
    return pathOfUrl(new URL(file))
  if (typeof file === 'string' && file !== '') return file
  throw new RestoreError('usage', `path: expected a path or a file: URL, got ${describeValue(file)}`)
}

/** Strings that are meant as addresses. */
const addresses = /^(?:https?|ftp|file|blob):\/\/|^(?:data|blob):/i

function pathOfUrl(url: URL): string {
  if (url.protocol === 'file:' && url.host === '') return fileURLToPath(url)
  throw new RestoreError(
    'usage',
    `${shownText(url.href)}: expected a file: URL, as nothing is fetched, got ${url.protocol}; fetch it and pass its bytes`,
  )
}

/** Whether a value is an instance of sharp, of any version: users have their own copy. */
function isSharp(input: object | undefined | null): input is Sharp {
  return input instanceof Readable && 'keepMetadata' in input && 'toBuffer' in input
}

/** Runs a pipeline of sharp, losslessly; its output would have 8 bits by default. */
async function renderedBy(pipeline: Sharp): Promise<Uint8Array> {
  const { depth } = await pipeline.metadata()
  const rendered = pipeline.clone().keepMetadata().png({ compressionLevel: 0 })
  return (depth === 'ushort' ? rendered.toColourspace('rgb16') : rendered).toBuffer()
}

function isStream(input: object | undefined | null): input is AsyncIterable<Uint8Array> {
  return typeof input === 'object' && input !== null && Symbol.asyncIterator in input
}

/** All bytes of a stream. */
async function collect(stream: AsyncIterable<unknown>, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array))
      throw new RestoreError(
        'input',
        `${name}: expected a stream of bytes, got one of ${describeValue(chunk)}`,
      )
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Reports failures of a caller's stream or pipeline as those of an input. */
async function bytesOf(read: () => Promise<Uint8Array>, name: string): Promise<Uint8Array> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof RestoreError) throw error
    throw new RestoreError('input', `${name}: cannot be read (${messageOf(error)})`, { cause: error })
  }
}
