// A small square view of a photo of any size: the mean of all pixels under each pixel of the view, from
// bands of rows.

import { withChannels } from '../color.ts'
import type { Image } from '../image.ts'
import { bandsOf, type PartedImage } from '../parts.ts'

/** Shares of a line's samples in each of `side` equal parts of it. */
interface Shares {
  readonly first: Int32Array
  readonly weights: readonly Float32Array[]
}

function sharesOf(length: number, side: number): Shares {
  const first = new Int32Array(side)
  const weights = Array.from({ length: side }, (_, i) => {
    const start = (i * length) / side
    const end = ((i + 1) * length) / side
    first[i] = Math.floor(start)
    const count = Math.max(1, Math.ceil(end) - Math.floor(start))
    return Float32Array.from({ length: count }, (_, k) => {
      const at = Math.floor(start) + k
      return Math.max(0, Math.min(end, at + 1) - Math.max(start, at)) / (end - start)
    })
  })
  return { first, weights }
}

/** Collects a view row by row, so that a large photo is never in memory as planes. */
export class ViewBuilder {
  readonly #side: number
  readonly #height: number
  readonly #across: Shares
  readonly #sums: Float64Array
  readonly #line: Float64Array

  /** @param side pixels of the view each way */
  constructor({ width, height }: { readonly width: number; readonly height: number }, side: number) {
    this.#side = side
    this.#height = height
    this.#across = sharesOf(width, side)
    this.#sums = new Float64Array(3 * side * side)
    this.#line = new Float64Array(side)
  }

  /** Adds rows of the photo [3 rows width], the first of which is its row `top`; every row is added once. */
  add(top: number, rows: Image): void {
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < rows.height; y++)
        this.#addRow(c, top + y, rows.data.subarray((c * rows.height + y) * rows.width))
  }

  #addRow(c: number, y: number, row: Float32Array): void {
    const [side, line, sums] = [this.#side, this.#line, this.#sums]
    const { first, weights } = this.#across
    for (let i = 0; i < side; i++) {
      const from = first[i]!
      const shares = weights[i]!
      let sum = 0
      for (let k = 0; k < shares.length; k++) sum += shares[k]! * row[from + k]!
      line[i] = sum
    }
    const scale = side / this.#height
    const last = Math.min(side, Math.ceil((y + 1) * scale))
    for (let j = Math.floor(y * scale); j < last; j++) {
      const share = Math.min((y + 1) * scale, j + 1) - Math.max(y * scale, j)
      const at = (c * side + j) * side
      for (let i = 0; i < side; i++) sums[at + i] = sums[at + i]! + share * line[i]!
    }
  }

  /** The view [3 side side]. */
  finish(): Image {
    return { width: this.#side, height: this.#side, channels: 3, data: Float32Array.from(this.#sums) }
  }
}

/** The view of a photo [1|3 h w]. */
export function viewOf(photo: Image | PartedImage, side: number): Image {
  const view = new ViewBuilder(photo, side)
  for (const { top, band } of bandsOf(photo)) view.add(top, withChannels(band, 3))
  return view.finish()
}
