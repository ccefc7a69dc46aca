// From decoded pictures to the samples of a batch: crops, the eight orientations, degradations, mixup, stacking.

import { type DType, dtypeBytes, elementCount, type TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Image } from '../../data/image.ts'
import type { Degrade } from '../../degrade/degradation.ts'
import type { Phase } from '../recipe.ts'
import { type Bitmap, cutBitmap, type ImageItem } from './images.ts'

/** Values of one sample by name: a picture, a tensor, a number or a text. */
export type SampleValue = Image | TensorData | number | string
export type Sample = Readonly<Record<string, SampleValue>>

/** Samples stacked along a new first dimension; numbers and texts as lists. */
export type Batch<S extends Sample> = {
  readonly [K in keyof S]: S[K] extends number | string ? readonly S[K][] : Tensor
}

/** What a sample is made from. */
export interface Draw {
  readonly item: ImageItem
  /** The item's pictures, by view. */
  readonly bitmaps: Readonly<Record<string, Bitmap>>
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

export interface CropOptions {
  /**
   * Crops lie in a larger random square of this side, at one place in it for the whole batch, and pictures smaller than it
   * are mirrored: Restormer's progressive learning. Without it any place is as likely, and smaller pictures are refused.
   */
  readonly frame?: number
}

/** A sample of pictures in pairs: the same crop of each view, in the same of eight orientations. */
export function paired(options: CropOptions = {}): (draw: Draw) => { input: Image; target: Image } {
  return (draw) => {
    const { input, target } = cropViews(draw, options)
    if (input && target) return { input, target }
    throw new RestoreError(
      'usage',
      `paired: expected views input and target, got ${Object.keys(draw.bitmaps)}`,
    )
  }
}

/** A sample whose input is made from its target. */
export function degraded(
  degrade: Degrade,
  options: CropOptions = {},
): (draw: Draw) => { input: Image; target: Image } {
  return (draw) => {
    const { target } = cropViews(draw, options)
    if (target) return { input: degrade(target, draw.random.fork(1)), target }
    throw new RestoreError('usage', `degraded: expected a view target, got ${Object.keys(draw.bitmaps)}`)
  }
}

/** One random crop of all views of an item, at the same place and in the same orientation. */
export function cropViews(draw: Draw, { frame }: CropOptions = {}): Readonly<Record<string, Image>> {
  const views = Object.entries(draw.bitmaps)
  const first = views[0]?.[1]
  if (!first) return {}
  for (const [view, { width, height }] of views) {
    if (width === first.width && height === first.height) continue
    const [wanted, got] = [`${first.width} × ${first.height}`, `${width} × ${height}`]
    throw new RestoreError(
      'input',
      `${draw.item.files[view]}: expected ${wanted} pixels as its pair, got ${got}`,
    )
  }
  const { crop } = draw.phase
  const window = frame ?? crop
  if (frame === undefined && Math.min(first.width, first.height) < crop) {
    const got = `${first.width} × ${first.height}`
    throw new RestoreError(
      'input',
      `${draw.item.name}: expected at least ${crop} × ${crop} pixels, got ${got}`,
    )
  }
  const place = (size: number) => draw.random.integer(Math.max(size - window, 0) + 1)
  const shift = draw.shared.fork(1)
  const shared = () => Math.floor((window - crop) * shift.uniform())
  const top = place(first.height) + shared()
  const left = place(first.width) + shared()
  const orientation = draw.random.integer(8)
  return Object.fromEntries(
    views.map(([view, bitmap]) => [view, orient(cutBitmap(bitmap, { top, left, side: crop }), orientation)]),
  )
}

/** One of the eight orientations of a square [c s s]: number / 2 quarter turns counter-clockwise, then upside down if odd. */
export function orient(image: Image, orientation: number): Image {
  if (orientation === 0) return image
  const { width: side, channels, data } = image
  const turned = new Float32Array(data.length)
  const last = side - 1
  const turns = orientation >> 1
  const isFlipped = orientation % 2 === 1
  // The source of (y, x) as an offset and a step for each axis.
  const [start, stepY, stepX] = (
    [
      [0, side, 1],
      [last, -1, side],
      [last * side + last, -side, -1],
      [last * side, 1, -side],
    ] as const
  )[turns] as readonly [number, number, number]
  for (let c = 0, at = 0; c < channels; c++) {
    for (let y = 0; y < side; y++) {
      const row = c * side * side + start + (isFlipped ? last - y : y) * stepY
      for (let x = 0; x < side; x++) turned[at++] = data[row + x * stepX] as number
    }
  }
  return { ...image, data: turned }
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

/** A random order of 0 … count − 1. */
export function permutation(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1)
    const moved = order[i] as number
    order[i] = order[j] as number
    order[j] = moved
  }
  return order
}
