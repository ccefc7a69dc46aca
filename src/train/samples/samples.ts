// From decoded pictures to the samples of a batch: crops, degradations, mixup, stacking.

import { type DType, dtypeBytes, elementCount, type TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { permutation, type Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import { crop, type Image, type Pixels } from '../../data/image.ts'
import { cutPatch, drawPlace, type Place, scalePlace } from '../../data/patches.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import type { Images } from './images.ts'

/** Values of one sample by name: a picture, a tensor, a number or a text. */
export type SampleValue = Image | TensorData | number | string
export type Sample = Readonly<Record<string, SampleValue>>

/** Samples stacked along a new first dimension; numbers and texts as lists. */
export type Batch<S extends Sample> = {
  readonly [K in keyof S]: S[K] extends number | string ? readonly S[K][] : Tensor
}

/** A stretch of the training: size of the crops and how many at once. */
export interface Phase {
  /** How many steps it lasts; the last one lasts to the end. */
  readonly steps: number
  /** Side of the square crops of the input in pixels. */
  readonly crop: number
  readonly batch: number
}

/** What a sample is made from. */
export interface Draw {
  /** Of the picture: position and name. */
  readonly index: number
  readonly name: string
  /** The picture's versions as decoded: `target`, and `input` where it has one. */
  readonly views: Readonly<Record<string, Pixels>>
  /** What the recipe says of its pictures. */
  readonly data: { readonly images: Images; readonly frame?: number }
  readonly phase: Phase
  readonly step: number
  /** Chance of this sample alone. */
  readonly random: Random
  /** The same chance for every sample of the batch; fork it for each use. */
  readonly shared: Random
}

export interface Mixup {
  /** Both parameters of the Beta distribution that the share is drawn from. */
  readonly alpha: number
  /** How often a batch is mixed at all. */
  readonly probability: number
}

/** A sample of pictures in pairs: the same crop of each view, in the same of eight orientations. */
export function paired(): (draw: Draw) => { input: Image; target: Image } {
  return (draw) => {
    const { input, target } = cropViews(draw)
    if (input && target) return { input, target }
    throw new RestoreError('usage', `paired: expected views input and target, got ${Object.keys(draw.views)}`)
  }
}

/** A sample whose input is made from its target. */
export function degraded(degrade: Degrade): (draw: Draw) => { input: Image; target: Image } {
  return (draw) => {
    const { target } = cropViews(draw)
    if (target) return { input: degrade(target, draw.random.fork(1)), target }
    throw new RestoreError('usage', `degraded: expected a view target, got ${Object.keys(draw.views)}`)
  }
}

/** Of the pairs that a sample makes, the same square part by chance; what else it holds is still of the whole. */
export function partOf<S extends { readonly input: Image; readonly target: Image }>(
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

/** One random crop of all views of a picture, at the same place and in the same orientation; targets `scale` times as large. */
export function cropViews(draw: Draw): Readonly<Record<string, Image>> {
  const { views, data, phase, random, shared } = draw
  const { scale, channels } = data.images
  const { frame = phase.crop } = data
  const { width = 0, height = 0 } = views.target ?? {}
  const room = drawPlace(
    { width: Math.floor(width / scale), height: Math.floor(height / scale) },
    frame,
    random,
  )
  const shift = shared.fork(1)
  const [down, right] = [shift.uniform(), shift.uniform()].map((u) => Math.floor((frame - phase.crop) * u))
  const place: Place = {
    ...room,
    top: room.top + (down ?? 0),
    left: room.left + (right ?? 0),
    sidePx: phase.crop,
  }
  return Object.fromEntries(
    Object.entries(views).map(([view, pixels]) => {
      return [view, cutPatch(pixels, scalePlace(place, view === 'target' ? scale : 1), channels)]
    }),
  )
}

/** A batch in host memory, as a worker hands it over. */
export type HostBatch = Readonly<Record<string, TensorData | readonly (number | string)[]>>

function isPicture(value: SampleValue): value is Image {
  return typeof value === 'object' && 'data' in value
}

function asTensorData(value: Image | TensorData): TensorData {
  if (!isPicture(value)) return value
  const { data, channels, height, width } = value
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { dtype: 'float32', shape: [channels, height, width], bytes }
}

/** Stacks samples; all must have the same names, types and shapes. */
export function stackSamples(samples: readonly Sample[]): HostBatch {
  const names = Object.keys(samples[0] ?? {})
  return Object.fromEntries(
    names.map((name) => {
      const values = samples.map((sample) => sample[name] as SampleValue)
      const lists = values.filter((value) => typeof value !== 'object')
      return [name, lists.length > 0 ? lists : stack(name, values as readonly (Image | TensorData)[])]
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
      const [wanted, got] = [`${dtype} [${shape.join(' ')}]`, `${data.dtype} [${data.shape.join(' ')}]`]
      throw new RestoreError(
        'shape',
        `data.sample: expected ${name} ${wanted} as the first of the batch, got ${got}`,
      )
    }
    bytes.set(data.bytes, i * size)
  }
  return { dtype, shape: [all.length, ...shape], bytes }
}

/** x ← λ x + (1 − λ) x[permutation] for all float tensors of a batch, one λ ~ Beta(α, α) for all (arXiv:1710.09412). */
export function mix(batch: HostBatch, { alpha, probability }: Mixup, random: Random): void {
  if (random.uniform() >= probability) return
  const share = beta(alpha, random)
  const count = Object.values(batch).find((value) => 'bytes' in value)
  if (!count || !('bytes' in count)) return
  const partners = permutation(count.shape[0] ?? 0, random)
  for (const value of Object.values(batch)) {
    if (!('bytes' in value) || value.dtype !== 'float32') continue
    const values = new Float32Array(value.bytes.buffer, value.bytes.byteOffset, value.bytes.length / 4)
    const before = values.slice()
    const size = values.length / partners.length
    partners.forEach((partner, i) => {
      for (let k = 0; k < size; k++) {
        const [own, other] = [before[i * size + k] as number, before[partner * size + k] as number]
        values[i * size + k] = share * own + (1 - share) * other
      }
    })
  }
}

/** Jöhnk's method: exact, and quick for α near 1. */
function beta(alpha: number, random: Random): number {
  for (;;) {
    const [x, y] = [random.uniform() ** (1 / alpha), random.uniform() ** (1 / alpha)]
    if (x + y > 0 && x + y <= 1) return x / (x + y)
  }
}
