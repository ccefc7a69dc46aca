// Checks that a step made a picture no worse, block by block: what was taken away looks like noise and not like
// the picture, colors and brightness stay, nothing clips, seen from afar both are alike, and nothing appears
// where there was nothing.

import { allFinite } from '../../core/data.ts'
import type { Image } from '../../data/image.ts'
import { type PartedImage, partOf } from '../../data/parts.ts'
import { blurField, type Field } from '../../degrade/numerics/fields.ts'
import { blockPx, type CheckName, limits, maxFailed, type StepKind } from './limits.ts'

/** What the checks found. */
export interface CheckReport {
  readonly rows: number
  readonly columns: number
  /** 1 for blocks that failed a check, row by row. */
  readonly failed: Uint8Array
  /** Share of blocks that failed, 0..1. */
  readonly share: number
  /** Number of blocks that failed each check. */
  readonly counts: Readonly<Partial<Record<CheckName, number>>>
  /** Whether so few blocks failed that they can fade back. */
  readonly isPassed: boolean
}

/** Sigma in pixels below which detail is taken away to see pictures from afar. */
const afarPx = 3

/** Pixels that the blur of this sigma reaches. */
const afarReachPx = 9

/** Rows of blocks that are seen from afar at a time. */
const bandBlocks = 8

/** Deviation of a block, seen from afar, below which it is flat. */
const flat = 1.5 / 255

/** Deviation of detail below which it tells nothing of structure. */
const faint = 0.8 / 255

/** By how much noise shifts the mean of a block that clips everywhere. */
const clipShift = 0.05

/** A picture as its channels, seen from afar, and what that leaves out. */
interface Layers {
  readonly image: Image
  readonly afar: readonly Field[]
}

function layersOf(image: Image): Layers {
  const { width, height, channels, data } = image
  const pixels = width * height
  const afar = Array.from({ length: channels }, (_, c) =>
    blurField({ width, height, values: data.subarray(c * pixels, (c + 1) * pixels) }, afarPx),
  )
  return { image, afar }
}

/** Sums over a block. */
interface Block {
  readonly top: number
  readonly left: number
  readonly height: number
  readonly width: number
}

/**
 * Checks a step on pictures of one size [c h w].
 * @param strength share of the step in the result: half of it leaves half of the damage, which is no detail
 */
export function checkBlocks(
  before: Image | PartedImage,
  after: Image | PartedImage,
  kind: StepKind,
  strength = 1,
): CheckReport {
  const { width, height } = before
  const rows = Math.ceil(height / blockPx)
  const columns = Math.ceil(width / blockPx)
  const failed = new Uint8Array(rows * columns)
  const counts: Partial<Record<CheckName, number>> = {}
  for (let row = 0; row < rows; row += bandBlocks) {
    const band = bandOf(height, row)
    const step = stepIn(before, after, band)
    for (let i = row * columns; i < Math.min(row + bandBlocks, rows) * columns; i++) {
      const top = Math.floor(i / columns) * blockPx
      const left = (i % columns) * blockPx
      const block = {
        top: top - band.top,
        left,
        height: Math.min(blockPx, height - top),
        width: Math.min(blockPx, width - left),
      }
      for (const name of failuresIn(step, block, { kind, strength })) {
        counts[name] = (counts[name] ?? 0) + 1
        failed[i] = 1
      }
    }
  }
  const share = failed.reduce((sum, one) => sum + one, 0) / failed.length
  const isPassed = share <= maxFailed && counts.numbers === undefined
  return { rows, columns, failed, share, counts, isPassed }
}

/** Rows of a picture. */
interface Band {
  readonly top: number
  readonly height: number
}

/** Rows that some rows of blocks need, the blur's included. */
function bandOf(height: number, row: number): Band {
  const top = Math.max(row * blockPx - afarReachPx, 0)
  const bottom = Math.min((row + bandBlocks) * blockPx + afarReachPx, height)
  return { top, height: bottom - top }
}

/** A band of a picture before and after a step. */
interface Step {
  readonly from: Layers
  readonly to: Layers
  /** The band after the step, if it has values that are no numbers. */
  readonly damaged: Image | undefined
}

function stepIn(before: Image | PartedImage, after: Image | PartedImage, { top, height }: Band): Step {
  const [from, to] = [before, after].map((image) => partOf(image, top, 0, height, image.width)) as [
    Image,
    Image,
  ]
  // One value that is no number would spread over all that is seen from afar.
  const isWhole = allFinite(to.data)
  return {
    from: layersOf(from),
    to: layersOf(isWhole ? to : withFinite(from, to)),
    damaged: isWhole ? undefined : to,
  }
}

function failuresIn(
  { from, to, damaged }: Step,
  block: Block,
  { kind, strength }: { readonly kind: StepKind; readonly strength: number },
): readonly CheckName[] {
  if (damaged && !isFiniteIn(damaged, block)) return ['numbers']
  return failuresOf(measure({ from, to, strength }, block), kind)
}

/** The result, with values of the input where it has no numbers. */
function withFinite(before: Image, after: Image): Image {
  const data = after.data.map((value, i) => (Number.isFinite(value) ? value : before.data[i]!))
  return { ...after, data }
}

function isFiniteIn({ width, height, channels, data }: Image, block: Block): boolean {
  for (let c = 0; c < channels; c++)
    for (let y = block.top; y < block.top + block.height; y++) {
      const at = (c * height + y) * width + block.left
      if (!allFinite(data.subarray(at, at + block.width))) return false
    }
  return true
}

type Measures = Readonly<Record<Exclude<CheckName, 'numbers'>, number>>

function failuresOf(measures: Measures, kind: StepKind): readonly CheckName[] {
  return Object.entries(limits[kind]).flatMap(([name, limit]) =>
    measures[name as keyof Measures] > limit ? [name as CheckName] : [],
  )
}

function measure(
  { from, to, strength }: Omit<Step, 'damaged'> & { readonly strength: number },
  block: Block,
): Measures {
  const { channels, data } = from.image
  const pixels = data.length / channels
  const of = (layers: Layers, c: number, i: number) => layers.image.data[c * pixels + i]!
  const each = (use: (c: number, i: number) => void) => {
    for (let c = 0; c < channels; c++)
      for (let y = block.top; y < block.top + block.height; y++)
        for (let x = block.left; x < block.left + block.width; x++) use(c, y * from.image.width + x)
  }
  const count = channels * block.height * block.width
  const shifts = new Float64Array(channels)
  let clippedBefore = 0
  let clippedAfter = 0
  let likeness = 0
  const sums = { removed: 0, left: 0, product: 0 }
  const spread = { before: new Moments(), after: new Moments() }
  each((c, i) => {
    const [a, b] = [of(from, c, i), of(to, c, i)]
    const [farA, farB] = [from.afar[c]!.values[i]!, to.afar[c]!.values[i]!]
    shifts[c] = shifts[c]! + b - a
    if (a <= 0 || a >= 1) clippedBefore++
    if (b <= 0 || b >= 1) clippedAfter++
    likeness += (farB - farA) ** 2
    const detail = a - farA
    // By the whole step.
    const removed = (detail - (b - farB)) / strength
    const left = detail - removed
    sums.removed += removed * removed
    sums.left += left * left
    sums.product += removed * left
    spread.before.add(farA, a - farA)
    spread.after.add(farB, b - farB)
  })
  const isFlat = spread.before.afar < flat
  const isTelling = Math.sqrt(Math.min(sums.removed, sums.left) / count) > faint
  const meanShifts = Array.from(shifts, (shift) => shift * (channels / count))
  const largestShift = Math.max(...meanShifts.map(Math.abs))
  return {
    structure: isTelling ? sums.product / Math.sqrt(sums.removed * sums.left) : 0,
    color: largestShift - (clipShift * clippedBefore) / count,
    brightening: Math.max(...meanShifts),
    clipping: (clippedAfter - clippedBefore) / count,
    likeness: Math.sqrt(likeness / count),
    halos: isFlat ? spread.after.afar - spread.before.afar : 0,
    // In flat blocks detail is noise.
    noise: isFlat ? (spread.after.detail + flat) / (spread.before.detail + flat) : 0,
  }
}

/** Deviations of a block: of what shows from afar, and of detail. */
class Moments {
  #count = 0
  #sum = 0
  #squares = 0
  #details = 0

  add(afar: number, detail: number): void {
    this.#count++
    this.#sum += afar
    this.#squares += afar * afar
    this.#details += detail * detail
  }

  get afar(): number {
    const mean = this.#sum / this.#count
    return Math.sqrt(Math.max(this.#squares / this.#count - mean * mean, 0))
  }

  get detail(): number {
    return Math.sqrt(this.#details / this.#count)
  }
}
