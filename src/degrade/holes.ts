// Holes for inpainting: result = mask * image + (1 - mask) with masks of 1 (keep) and 0 (hole), so that holes are white, as IR-SDE has them
// (arXiv:2301.11699; Algolzw/image-restoration-sde). Masks of strokes, blocks and text are drawn; a mask of one's own goes to `cutHoles`.

import { RestoreError } from '../core/errors.ts'
import { sinCos } from '../core/exactMath.ts'
import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { between, emptyField, type Field } from './numerics/fields.ts'

/** Whitens what a mask [1 h w] below 0.5 covers; masks of another size are taken to that of the image by nearest neighbors. */
export function cutHoles(image: Image, mask: Image): Image {
  if (mask.channels !== 1) {
    throw new RestoreError(
      'shape',
      `holes: expected a gray mask, got ${mask.channels} channels; convert it to gray`,
    )
  }
  const { width, height, channels } = image
  const data = image.data.slice()
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((2 * y + 1) * mask.height) / (2 * height)) * mask.width
    for (let x = 0; x < width; x++) {
      if (mask.data[row + Math.floor(((2 * x + 1) * mask.width) / (2 * width))]! >= 0.5) continue
      for (let c = 0; c < channels; c++) data[(c * height + y) * width + x] = 1
    }
  }
  return { ...image, data }
}

/** Clears a line of a thickness in px, its ends round. */
function clearLine(
  { width, height, values }: Field,
  [x0, y0]: Point,
  [x1, y1]: Point,
  thickness: number,
): void {
  const radius = Math.max(thickness / 2, 0.5)
  const dx = x1 - x0
  const dy = y1 - y0
  const square = dx * dx + dy * dy
  const bottom = Math.min(Math.max(y0, y1) + radius, height - 1)
  const right = Math.min(Math.max(x0, x1) + radius, width - 1)
  for (let y = Math.max(Math.ceil(Math.min(y0, y1) - radius), 0); y <= bottom; y++) {
    for (let x = Math.max(Math.ceil(Math.min(x0, x1) - radius), 0); x <= right; x++) {
      const along = square > 0 ? ((x - x0) * dx + (y - y0) * dy) / square : 0
      const t = Math.min(Math.max(along, 0), 1)
      const u = x - x0 - t * dx
      const v = y - y0 - t * dy
      if (u * u + v * v <= radius * radius) values[y * width + x] = 0
    }
  }
}

type Point = readonly [x: number, y: number]

/** What is drawn until enough is covered: adds one stroke, block or line of text. */
type Pen = (mask: Field, thickness: number, random: Random) => void

/** A line that wanders, as of a brush. */
const drawBrush: Pen = (mask, thickness, random) => {
  const { width, height } = mask
  const step = Math.max(width, height) / 24
  let angle = 2 * Math.PI * random.uniform()
  let turn = 0
  let at: Point = [width * random.uniform(), height * random.uniform()]
  const stepCount = 5 + random.integer(16)
  for (let i = 0; i < stepCount; i++) {
    turn = 0.6 * turn + 0.25 * random.normal()
    angle += turn
    const [sin, cos] = sinCos(angle)
    const next: Point = [at[0] + step * cos, at[1] + step * sin]
    clearLine(mask, at, next, thickness * between(random, 0.8, 1.2))
    at = next
  }
}

const drawBlock: Pen = (mask, thickness, random) => {
  const { width, height, values } = mask
  const side = () => Math.max(Math.round(thickness * between(random, 2, 6)), 1)
  const wide = side()
  const high = side()
  const left = Math.floor((width + wide) * random.uniform()) - wide
  const top = Math.floor((height + high) * random.uniform()) - high
  for (let y = Math.max(top, 0); y < Math.min(top + high, height); y++) {
    values.fill(0, y * width + Math.max(left, 0), y * width + Math.min(Math.max(left + wide, 0), width))
  }
}

// Letters as lines between the points a..o of a grid of 3 x 5, row by row; a space lifts the pen.
const letters = [
  'mbo jl',
  'camo',
  'amnlfba',
  'camo gh',
  'cam gh',
  'am co gi',
  'bn',
  'am cgo',
  'amo',
  'mahco',
  'maoc',
  'acoma',
  'macig',
  'macigo',
  'cagiom',
  'ac bn',
  'amoc',
  'anc',
  'amhoc',
  'ao cm',
  'ahc hn',
  'acmo',
] as const

/** A line of text, a little askew. */
const drawText: Pen = (mask, thickness, random) => {
  const { width, height } = mask
  const unit = thickness * between(random, 1.1, 2)
  const [sin, cos] = sinCos(between(random, -0.3, 0.3))
  const left = width * between(random, -0.2, 0.9)
  const top = height * between(random, -0.05, 1)
  const letterCount = 4 + random.integer(16)
  for (let i = 0; i < letterCount; i++) {
    if (random.uniform() < 0.15) continue
    const place = (name: string): Point => {
      const point = name.charCodeAt(0) - 97
      const x = unit * (3.4 * i + (point % 3))
      const y = unit * Math.floor(point / 3)
      return [left + cos * x - sin * y, top + sin * x + cos * y]
    }
    for (const line of letters[random.integer(letters.length)]!.split(' ')) {
      for (let k = 1; k < line.length; k++) clearLine(mask, place(line[k - 1]!), place(line[k]!), thickness)
    }
  }
}

const pens = { strokes: drawBrush, blocks: drawBlock, text: drawText } as const
const shapes = ['strokes', 'blocks', 'text'] as const

function coverageOf(mask: Field): number {
  const { values } = mask
  let kept = 0
  // By index, which is many times faster than `of`.
  for (let i = 0; i < values.length; i++) kept += values[i]!
  return 1 - kept / values.length
}

const parameters = {
  shape: {
    type: 'choice',
    summary: 'what the holes look like, or one of these by chance',
    choices: ['any', ...shapes],
    default: 'any',
  },
  thickness: {
    type: 'number',
    summary: 'of strokes and letters; blocks are 2 to 6 times as large',
    unit: 'px',
    minimum: 1,
    maximum: 500,
    default: [3, 16],
  },
  coverage: {
    type: 'number',
    summary: 'share of the image to cover at least',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.05, 0.3],
  },
} as const satisfies Parameters

export const holes = defineDegradation({
  name: 'holes',
  summary: 'white holes to be painted in: brush strokes, blocks or text',
  source: 'IR-SDE, arXiv:2301.11699: mask * image + (1 - mask); its mask files are not used, ours are drawn',
  parameters,
  apply(image, drawn, random) {
    const { width, height } = image
    const shape = drawn.shape === 'any' ? shapes[random.integer(shapes.length)]! : drawn.shape
    const mask = emptyField(width, height)
    mask.values.fill(1)
    while (coverageOf(mask) < drawn.coverage) pens[shape](mask, drawn.thickness, random)
    return cutHoles(image, { ...mask, channels: 1, data: mask.values })
  },
})
