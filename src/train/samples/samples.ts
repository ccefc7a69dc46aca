// From decoded images to the samples of a batch: crops, degradations, mixup, stacking.

import { type DType, dtypeBytes, elementCount, type TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { permutation, type Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import { crop, type Image, type Pixels } from '../../data/image.ts'
import { cutPatch, drawPlace, type Place, scalePlace } from '../../data/patches.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import type { Images } from './images.ts'

/** A value of a sample. */
export type SampleValue = Image | TensorData | number | string
/** One sample of a batch: images, tensors, numbers and texts by name. */
export type TrainingSample = Readonly<Record<string, SampleValue>>

/** Samples stacked along a new first dimension; numbers and strings as lists. */
export type Batch<S extends TrainingSample> = {
  readonly [K in keyof S]: S[K] extends number | string ? readonly S[K][] : Tensor
}

/** A range of steps with one crop size and one batch size. */
export interface Phase {
  /** Number of steps; the last phase lasts to the end of the training. */
  readonly steps: number
  /** Side of the square crops of the input in pixels. */
  readonly crop: number
  /** Samples per batch. */
  readonly batch: number
}

/** Everything a sample is made from. */
export interface Draw {
  /** Index of the image in the list of images. */
  readonly index: number
  /** Name of the image. */
  readonly name: string
  /** Decoded views of the image: `target`, and `input` if the images come with one. */
  readonly views: Readonly<Record<string, Pixels>>
  /** The recipe's `data.images` and `data.frame`. */
  readonly data: { readonly images: Images; readonly frame?: number }
  /** Phase of the step. */
  readonly phase: Phase
  /** Step (0-based) of the batch. */
  readonly step: number
  /** Random stream of this sample. */
  readonly random: Random
  /** Random stream shared by all samples of the batch; fork it for each use. */
  readonly shared: Random
}

/** Mixing of pairs of samples (Zhang et al., arXiv:1710.09412). */
export interface Mixup {
  /** Both parameters of the Beta distribution from which the mixing coefficient is drawn. */
  readonly alpha: number
  /** Probability that a batch is mixed. */
  readonly probability: number
}

/** Repeated use of batches that take longer to make than a step (Choi et al., arXiv:1907.05550). */
export interface Echo {
  /** Uses of each batch. */
  readonly times: number
  /** Number of other batches made between two uses of one; `(times − 1) · apart` batches stay in memory. */
  readonly apart: number
}

/** Samples of paired images: the same crop of each view, in the same of eight orientations. */
export function paired(): (draw: Draw) => { input: Image; target: Image } {
  return (draw) => {
    const { input, target } = cropViews(draw)
    if (input && target) return { input, target }
    throw new RestoreError('usage', `paired: expected views input and target, got ${Object.keys(draw.views)}`)
  }
}

/** Samples whose input is a degraded copy of the target. */
export function degraded(degrade: Degrade): (draw: Draw) => { input: Image; target: Image } {
  return (draw) => {
    const { target } = cropViews(draw)
    if (target) return { input: degrade(target, draw.random.fork(1)), target }
    throw new RestoreError('usage', `degraded: expected a view target, got ${Object.keys(draw.views)}`)
  }
}

/** Crops input and target of each sample to the same random square; keeps its other values. */
export function croppedTo<S extends { readonly input: Image; readonly target: Image }>(
  sample: (draw: Draw) => S,
  sidePx: number,
): (draw: Draw) => S {
  return (draw) => {
    const whole = sample(draw)
    const { top, left } = drawPlace(whole.input, sidePx, draw.random.fork(3), { isUpright: true })
    const cut = (image: Image) => crop(image, top, left, sidePx, sidePx)
    return { ...whole, input: cut(whole.input), target: cut(whole.target) }
  }
}

/** Cuts the same random crop and orientation from all views; targets are `scale` times as large. */
export function cropViews(draw: Draw): Readonly<Record<string, Image>> {
  const { views, data, phase, random, shared } = draw
  const { scale, channels } = data.images
  const { frame = phase.crop } = data
  const { width = 0, height = 0 } = views.target ?? {}
  const outer = drawPlace(
    { width: Math.floor(width / scale), height: Math.floor(height / scale) },
    frame,
    random,
  )
  const shift = shared.fork(1)
  const offset = () => Math.floor((frame - phase.crop) * shift.uniform())
  const place: Place = {
    ...outer,
    top: outer.top + offset(),
    left: outer.left + offset(),
    sidePx: phase.crop,
  }
  return Object.fromEntries(
    Object.entries(views).map(([view, pixels]) => {
      return [view, cutPatch(pixels, scalePlace(place, view === 'target' ? scale : 1), channels)]
    }),
  )
}

/** A batch in host memory, as a worker transfers it. */
export type HostBatch = Readonly<Record<string, TensorData | readonly (number | string)[]>>

function isImage(value: SampleValue): value is Image {
  return typeof value === 'object' && 'data' in value
}

function asTensorData(value: Image | TensorData): TensorData {
  if (!isImage(value)) return value
  const { data, channels, height, width } = value
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { dtype: 'float32', shape: [channels, height, width], bytes }
}

/**
 * Stacks samples, which must have the same names, types and shapes.
 *
 * @throws RestoreError `shape` where they differ
 */
export function stackSamples(samples: readonly TrainingSample[]): HostBatch {
  const names = Object.keys(samples[0] ?? {})
  return Object.fromEntries(
    names.map((name) => {
      const values = samples.map((sample) => sample[name]!)
      const plain = values.filter((value) => typeof value !== 'object')
      return [name, plain.length > 0 ? plain : stack(name, values as readonly (Image | TensorData)[])]
    }),
  )
}

function stack(name: string, values: readonly (Image | TensorData)[]): TensorData {
  const all = values.map(asTensorData)
  const { dtype, shape } = all[0] as { dtype: DType; shape: readonly number[] }
  const size = elementCount(shape) * dtypeBytes[dtype]
  const bytes = new Uint8Array(size * all.length)
  for (const [i, data] of all.entries()) {
    if (data.dtype !== dtype || data.bytes.length !== size || String(data.shape) !== String(shape)) {
      const expected = `${dtype} [${shape.join(' ')}]`
      const got = `${data.dtype} [${data.shape.join(' ')}]`
      throw new RestoreError(
        'shape',
        `data.sample: expected ${name} ${expected} as in the first sample of the batch, got ${got}; make all samples of a batch alike`,
      )
    }
    bytes.set(data.bytes, i * size)
  }
  return { dtype, shape: [all.length, ...shape], bytes }
}

/**
 * Applies mixup (arXiv:1710.09412) in place to all float32 tensors of a batch:
 * x ← λ x + (1 − λ) x[permutation], with one λ ~ Beta(α, α) for all.
 */
export function applyMixup(batch: HostBatch, { alpha, probability }: Mixup, random: Random): void {
  if (random.uniform() >= probability) return
  const lambda = drawBeta(alpha, random)
  const first = Object.values(batch).find((value) => 'bytes' in value)
  if (!first || !('bytes' in first)) return
  const partners = permutation(first.shape[0] ?? 0, random)
  for (const value of Object.values(batch)) {
    if (!('bytes' in value) || value.dtype !== 'float32') continue
    const values = new Float32Array(value.bytes.buffer, value.bytes.byteOffset, value.bytes.length / 4)
    const before = values.slice()
    const size = values.length / partners.length
    partners.forEach((partner, i) => {
      for (let k = 0; k < size; k++) {
        values[i * size + k] = lambda * before[i * size + k]! + (1 - lambda) * before[partner * size + k]!
      }
    })
  }
}

/** Draws from Beta(α, α) by Jöhnk's method: exact, and fast for α near 1. */
function drawBeta(alpha: number, random: Random): number {
  for (;;) {
    const x = random.uniform() ** (1 / alpha)
    const y = random.uniform() ** (1 / alpha)
    if (x + y > 0 && x + y <= 1) return x / (x + y)
  }
}
