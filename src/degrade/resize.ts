// Resizes like MATLAB's imresize, which defines the low-resolution images of super-resolution benchmarks;
// also area and nearest.

import { RestoreError } from '../core/errors.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import {
  areaTaps,
  borderIndex,
  identityTaps,
  type KernelName,
  kernelNames,
  kernelTaps,
  nearestTaps,
  scaledSize,
  type Taps,
} from './numerics/taps.ts'

export const resizeMethods = [...kernelNames, 'area', 'nearest'] as const
export type ResizeMethod = (typeof resizeMethods)[number]

/** 'uint8' rounds each pass half away from zero and clamps it to 0..255, as MATLAB does with 8-bit images. */
export type Rounding = 'none' | 'uint8'

/** Options of {@link resizeTo}. */
export interface ResizeOptions {
  /** Kernel of the interpolation. @default 'bicubic' */
  readonly method?: ResizeMethod
  /** Whether kernels widen when the image shrinks. @default true */
  readonly antialias?: boolean
  /** Whether results are rounded to 8 bits. @default 'none' */
  readonly rounding?: Rounding
}

/** Height and width in pixels. */
export interface Size {
  readonly height: number
  readonly width: number
}

function isKernel(method: ResizeMethod): method is KernelName {
  return (kernelNames as readonly string[]).includes(method)
}

function tapsOf(
  inputSize: number,
  outputSize: number,
  scale: number,
  { method = 'bicubic', antialias = true }: ResizeOptions,
): Taps {
  if (isKernel(method)) return kernelTaps({ inputSize, outputSize, scale, kernel: method, antialias })
  return method === 'area' ? areaTaps(inputSize, outputSize) : nearestTaps(inputSize, outputSize)
}

/** Resizes like MATLAB's `imresize(image, scale)`: each side becomes ceil(side · scale). */
export function imresize(image: Image, scale: number, options: ResizeOptions = {}): Image {
  if (!(scale > 0 && Number.isFinite(scale))) {
    throw new RestoreError('usage', `resize: expected a scale above 0, got ${scale}`)
  }
  const taps = (size: number) => tapsOf(size, scaledSize(size, scale), scale, options)
  return resample(image, { rows: taps(image.height), columns: taps(image.width) }, options.rounding)
}

/** Resizes like MATLAB's `imresize(image, [height width])`. */
export function resizeTo(image: Image, { height, width }: Size, options: ResizeOptions = {}): Image {
  const taps = (from: number, to: number) => tapsOf(from, to, to / from, options)
  const rows = taps(image.height, height)
  const columns = taps(image.width, width)
  // MATLAB resizes the axis that shrinks more first, which matters when passes are rounded.
  if (options.rounding !== 'uint8' || height / image.height <= width / image.width)
    return resample(image, { rows, columns }, options.rounding)
  const narrowed = resample(image, { rows: identityTaps(image.height), columns }, 'uint8')
  return resample(narrowed, { rows, columns: identityTaps(width) }, 'uint8')
}

/** Applies row taps vertically, then column taps horizontally. */
export function resample(
  image: Image,
  { rows, columns }: { readonly rows: Taps; readonly columns: Taps },
  rounding: Rounding = 'none',
): Image {
  const height = rows.starts.length
  const width = columns.starts.length
  const isRounded = rounding === 'uint8'
  // Integers, so that halves are exact.
  const source = isRounded ? image.data.map((value) => roundHalfUp(255 * value)) : image.data
  const data = new Float32Array(image.channels * height * width)
  const down = padTaps(rows)
  const along = padTaps(columns)
  const line = paddedLine(along)
  const pixels = image.height * image.width
  for (let c = 0; c < image.channels; c++) {
    const plane = source.subarray(c * pixels, (c + 1) * pixels)
    for (let y = 0; y < height; y++) {
      sumRows(plane, down, y, line.middle)
      if (isRounded) roundAndClamp(line.middle)
      fillBorders(line, along)
      const out = data.subarray((c * height + y) * width, (c * height + y + 1) * width)
      sumColumns(line, along, out)
      if (isRounded) roundAndClamp(out)
    }
  }
  return {
    channels: image.channels,
    height,
    width,
    data: isRounded ? data.map((value) => value / 255) : data,
  }
}

/** Pads the taps to a multiple of four with weights of 0. */
function padTaps(taps: Taps): Taps {
  const count = 4 * Math.ceil(taps.count / 4)
  const weights = new Float64Array(taps.starts.length * count)
  for (let j = 0; j < taps.starts.length; j++)
    weights.set(taps.weights.subarray(j * taps.count, (j + 1) * taps.count), j * count)
  return { ...taps, count, weights }
}

/**
 * Computes out[x] as the weighted sum of rows, four rows at a time to store each sum once per four products.
 */
function sumRows(plane: Float32Array, taps: Taps, y: number, out: Float64Array): void {
  const { inputSize, count, starts, weights, border } = taps
  const width = out.length
  const rowOf = (t: number) => borderIndex(starts[y]! + t - y * count, inputSize, border) * width
  out.fill(0)
  for (let t = y * count; t < (y + 1) * count; t += 4) {
    const a = rowOf(t)
    const b = rowOf(t + 1)
    const c = rowOf(t + 2)
    const d = rowOf(t + 3)
    const wa = weights[t]!
    const wb = weights[t + 1]!
    const wc = weights[t + 2]!
    const wd = weights[t + 3]!
    for (let x = 0; x < width; x++) {
      out[x] = out[x]! + wa * plane[a + x]! + wb * plane[b + x]! + wc * plane[c + x]! + wd * plane[d + x]!
    }
  }
}

/** A row padded for the taps that reach beyond its ends. */
interface PaddedLine {
  readonly before: number
  readonly all: Float64Array
  readonly middle: Float64Array
}

function paddedLine({ inputSize, count, starts }: Taps): PaddedLine {
  const first = starts.reduce((least, start) => Math.min(least, start), 0)
  const end = starts.reduce((most, start) => Math.max(most, start + count), inputSize)
  const all = new Float64Array(end - first)
  return { before: -first, all, middle: all.subarray(-first, inputSize - first) }
}

function fillBorders({ before, all, middle }: PaddedLine, { inputSize, border }: Taps): void {
  for (let i = 0; i < before; i++) all[i] = middle[borderIndex(i - before, inputSize, border)]!
  for (let i = before + inputSize; i < all.length; i++)
    all[i] = middle[borderIndex(i - before, inputSize, border)]!
}

function sumColumns({ before, all }: PaddedLine, { count, starts, weights }: Taps, out: Float32Array): void {
  for (let x = 0; x < out.length; x++) {
    let from = starts[x]! + before
    let a = 0
    let b = 0
    let c = 0
    let d = 0
    for (let t = x * count; t < (x + 1) * count; t += 4, from += 4) {
      a += weights[t]! * all[from]!
      b += weights[t + 1]! * all[from + 1]!
      c += weights[t + 2]! * all[from + 2]!
      d += weights[t + 3]! * all[from + 3]!
    }
    out[x] = a + b + (c + d)
  }
}

/** Rounds half up, which equals half away from zero for values ≥ 0; negative ones are clamped anyway. */
function roundHalfUp(value: number): number {
  return Math.floor(value + 0.5)
}

function roundAndClamp(values: Float32Array | Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i] = Math.min(Math.max(roundHalfUp(values[i]!), 0), 255)
}

/** Resizing by a factor, like MATLAB’s imresize; area like OpenCV. */
export const resize = defineDegradation({
  name: 'resize',
  summary: 'resizing like MATLAB’s imresize; area like OpenCV',
  source: 'MATLAB imresize, the standard of super-resolution benchmarks',
  parameters: {
    scale: {
      type: 'number',
      summary: 'scale factor; sides are rounded up to whole pixels',
      unit: '',
      minimum: 0.01,
      maximum: 16,
      default: 0.5,
    },
    method: { type: 'choice', summary: 'interpolation kernel', choices: resizeMethods, default: 'bicubic' },
    antialias: {
      type: 'choice',
      summary: 'whether kernels widen when the image shrinks',
      choices: ['on', 'off'],
      default: 'on',
    },
    rounding: {
      type: 'choice',
      summary: 'uint8 rounds after each axis, as MATLAB does with 8-bit images',
      choices: ['none', 'uint8'],
      default: 'none',
    },
    back: {
      type: 'choice',
      summary: 'whether to resize the result back to the original size',
      choices: ['off', 'on'],
      default: 'off',
    },
  } as const satisfies Parameters,
  apply: (image, { scale, method, antialias, rounding, back }) => {
    const options: ResizeOptions = { method, antialias: antialias === 'on', rounding }
    const resized = imresize(image, scale, options)
    return back === 'on' ? resizeTo(resized, image, options) : resized
  },
})
