// The worst cases of an evaluation, as crops of where they are worst; only crops are kept, so that the set
// may be of any size.

import { encodeImage } from '../../data/encode.ts'
import { crop, type Image } from '../../data/image.ts'
import { factsOf, type Row } from '../../metrics/evaluate.ts'
import { describeMap, differenceMap, worstSquare } from '../../metrics/report/differenceMap.ts'
import type { ReportCase } from '../../metrics/report/evaluationPage.ts'

/** Side of the crops in pixels of the output. */
const sidePx = 160

export interface Restored {
  readonly input: Image
  readonly output: Image
  readonly reference: Image | undefined
}

interface Kept {
  readonly row: Row
  /** Higher is worse. */
  readonly badness: number
  readonly place: string
  readonly crops: readonly { readonly caption: string; readonly image: Image }[]
}

export class WorstCases {
  readonly #limit: number
  readonly #metric: string | undefined
  readonly #kept: Kept[] = []

  /** Of the first metric that gives a figure for each image. */
  constructor(metricNames: readonly string[], limit: number) {
    this.#metric = metricNames.find((name) => name !== 'fid')
    this.#limit = limit
  }

  /** Keeps the crops of an image where it is among the worst so far. */
  offer(row: Row, restored: Restored): void {
    const value = this.#metric === undefined ? undefined : row.values[this.#metric]
    if (this.#metric === undefined || value === undefined || Number.isNaN(value)) return
    const badness = factsOf(this.#metric).lowerIsBetter ? value : -value
    const last = this.#kept.at(-1)
    if (this.#kept.length >= this.#limit && last && badness <= last.badness) return
    this.#kept.push({ row, badness, ...cropsOf(restored) })
    this.#kept.sort((a, b) => b.badness - a.badness)
    this.#kept.splice(this.#limit)
  }

  /** The cases, worst first, with their pictures as data URLs. */
  async finish(): Promise<readonly ReportCase[]> {
    return Promise.all(
      this.#kept.map(async ({ row, place, crops }) => ({
        name: row.name,
        values: row.values,
        place,
        pictures: await Promise.all(
          crops.map(async ({ caption, image }) => ({ caption, url: await dataUrl(image) })),
        ),
      })),
    )
  }
}

function cropsOf({ input, output, reference: truth }: Restored): Pick<Kept, 'place' | 'crops'> {
  const reference = truth?.width === output.width && truth.height === output.height ? truth : undefined
  const side = Math.min(sidePx, output.width, output.height)
  const middle = { top: (output.height - side) >> 1, left: (output.width - side) >> 1 }
  const { top, left } = reference ? worstSquare(reference, output, side) : middle
  const part = (image: Image) => crop(image, top, left, side, side)
  const scale = output.width / input.width
  const small = Math.min(Math.max(1, Math.round(side / scale)), input.width, input.height)
  const inside = (at: number, size: number) => Math.min(Math.round(at / scale), size - small)
  const before = crop(input, inside(top, input.height), inside(left, input.width), small, small)
  const crops = [
    { caption: scale === 1 ? 'input' : `input, ${Number(scale.toFixed(2))} times enlarged`, image: before },
    { caption: 'output', image: part(output) },
  ]
  if (reference) {
    crops.push({ caption: 'truth', image: part(reference) })
    crops.push({ caption: describeMap(), image: differenceMap(part(reference), part(output)) })
  }
  return { place: `${side} × ${side} from (${left}, ${top})`, crops }
}

async function dataUrl(image: Image): Promise<string> {
  const bytes = await encodeImage({ image, alpha: undefined, depth: 8, format: 'png' })
  return `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`
}
