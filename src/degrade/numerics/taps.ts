// Resampling taps: the input samples and weights that make up each output sample of a resized axis.

import { RestoreError } from '../../core/errors.ts'
import { sinCos } from '../../core/exactMath.ts'
import { cubic } from '../../core/resample.ts'

/** Output sample j is the sum over t < count of weights[j·count + t] · input[starts[j] + t]. */
export interface Taps {
  readonly inputSize: number
  readonly count: number
  /** First input index of each output sample; may lie outside the input, where `border` applies. */
  readonly starts: Int32Array
  readonly weights: Float64Array
  readonly border: Border
}

/**
 * Values beyond the edges: the nearest sample, or mirrored with ('mirror') or without ('reflect') repeating
 * the edge.
 */
export type Border = 'clamp' | 'mirror' | 'reflect'

export const kernelNames = ['bicubic', 'linear', 'lanczos'] as const
export type KernelName = (typeof kernelNames)[number]

interface Kernel {
  /** Half the kernel's support. */
  readonly radius: number
  readonly at: (x: number) => number
}

function sinc(x: number): number {
  return x === 0 ? 1 : sinCos(Math.PI * x)[0] / (Math.PI * x)
}

const kernels: Readonly<Record<KernelName, Kernel>> = {
  bicubic: { radius: 2, at: cubic },
  linear: { radius: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  lanczos: { radius: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

/** Maps index `i`, possibly out of range, to a pixel of an axis of `size` pixels. */
export function borderIndex(i: number, size: number, border: Border): number {
  if (border === 'clamp' || size === 1) return Math.min(Math.max(i, 0), size - 1)
  const repeats = border === 'mirror' ? 1 : 0
  const period = 2 * (size - 1 + repeats)
  const phase = ((i % period) + period) % period
  return phase < size ? phase : period - repeats - phase
}

/** Length of an axis after MATLAB's imresize by `scale`. */
export function scaledSize(size: number, scale: number): number {
  return Math.ceil(size * scale)
}

interface KernelTaps {
  readonly inputSize: number
  readonly outputSize: number
  readonly scale: number
  readonly kernel: KernelName
  /** Whether the kernel widens when the axis shrinks. */
  readonly antialias: boolean
}

/** Taps of MATLAB's imresize: pixel centers aligned, weights normalized, borders mirrored. */
export function kernelTaps({ inputSize, outputSize, scale, kernel, antialias }: KernelTaps): Taps {
  checkSizes(inputSize, outputSize)
  const { radius, at } = kernels[kernel]
  const stretch = antialias ? Math.min(scale, 1) : 1
  const count = Math.max(1, Math.ceil((2 * radius) / stretch))
  const starts = new Int32Array(outputSize)
  const weights = new Float64Array(outputSize * count)
  for (let j = 0; j < outputSize; j++) {
    const center = (j + 0.5) / scale - 0.5
    const start = Math.floor(center - radius / stretch) + 1
    starts[j] = start
    for (let t = 0; t < count; t++) weights[j * count + t] = at(stretch * (center - (start + t)))
    normalize(weights.subarray(j * count, (j + 1) * count))
  }
  return { inputSize, count, starts, weights, border: 'mirror' }
}

function normalize(weights: Float64Array): void {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  for (let t = 0; t < weights.length; t++) weights[t] = weights[t]! / sum
}

/** Taps that average the input span of each output sample (OpenCV's INTER_AREA). */
export function areaTaps(inputSize: number, outputSize: number): Taps {
  checkSizes(inputSize, outputSize)
  const step = inputSize / outputSize
  const count = Math.ceil(step) + 1
  const starts = new Int32Array(outputSize)
  const weights = new Float64Array(outputSize * count)
  for (let j = 0; j < outputSize; j++) {
    const from = (j * inputSize) / outputSize
    const to = ((j + 1) * inputSize) / outputSize
    const start = Math.floor(from)
    starts[j] = start
    for (let t = 0; t < count; t++) {
      const overlap = Math.min(start + t + 1, to) - Math.max(start + t, from)
      weights[j * count + t] = Math.max(overlap, 0)
    }
    normalize(weights.subarray(j * count, (j + 1) * count))
  }
  return { inputSize, count, starts, weights, border: 'clamp' }
}

/** Taps that pick the input sample under the center of each output sample. */
export function nearestTaps(inputSize: number, outputSize: number): Taps {
  checkSizes(inputSize, outputSize)
  const starts = Int32Array.from({ length: outputSize }, (_, j) =>
    Math.floor(((2 * j + 1) * inputSize) / (2 * outputSize)),
  )
  return { inputSize, count: 1, starts, weights: new Float64Array(outputSize).fill(1), border: 'clamp' }
}

/** Taps that leave an axis unchanged. */
export function identityTaps(size: number): Taps {
  return nearestTaps(size, size)
}

function checkSizes(inputSize: number, outputSize: number): void {
  if (Number.isInteger(outputSize) && outputSize >= 1 && inputSize >= 1) return
  throw new RestoreError(
    'usage',
    `resize: expected a size of at least 1 px, got ${inputSize} to ${outputSize} px`,
  )
}
