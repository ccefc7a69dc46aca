// White holes for inpainting, as in IR-SDE: result = mask * image + (1 - mask), mask 1 to keep and 0 for a
// hole (arXiv:2301.11699; Algolzw/image-restoration-sde). Draws masks of strokes, blocks and text; `cutHoles`
// takes any mask.

import { RestoreError } from '../core/errors.ts'
import { sinCos } from '../core/exactMath.ts'
import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { between, emptyField, type Field } from './numerics/fields.ts'

/**
 * Whitens pixels where the mask [1 h w] is below 0.5; a mask of another size is resized by nearest neighbor.
 */
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

/** Clears a line with round ends; thickness in px. */
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

/** Draws one stroke, block or line of text. */
type Pen = (mask: Field, thickness: number, random: Random) => void

/** Draws a meandering brush stroke. */
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
  const blockWidth = side()
  const blockHeight = side()
  const left = Math.floor((width + blockWidth) * random.uniform()) - blockWidth
  const top = Math.floor((height + blockHeight) * random.uniform()) - blockHeight
  for (let y = Math.max(top, 0); y < Math.min(top + blockHeight, height); y++) {
    values.fill(0, y * width + Math.max(left, 0), y * width + Math.min(Math.max(left + blockWidth, 0), width))
  }
}

// Letters as polylines between the points a..o of a 3 x 5 grid, numbered by rows; a space lifts the pen.
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

/** Draws a slightly tilted line of text. */
const drawText: Pen = (mask, thickness, random) => {
  const { width, height } = mask
  const unit = thickness * between(random, 1.1, 2)
  const [sin, cos] = sinCos(between(random, -0.3, 0.3))
  const left = width * between(random, -0.2, 0.9)
  const top = height * between(random, -0.05, 1)
  const letterCount = 4 + random.integer(16)
  for (let i = 0; i < letterCount; i++) {
    if (random.uniform() < 0.15) continue
    const pointAt = (name: string): Point => {
      const point = name.charCodeAt(0) - 97
      const x = unit * (3.4 * i + (point % 3))
      const y = unit * Math.floor(point / 3)
      return [left + cos * x - sin * y, top + sin * x + cos * y]
    }
    for (const line of letters[random.integer(letters.length)]!.split(' ')) {
      for (let k = 1; k < line.length; k++)
        clearLine(mask, pointAt(line[k - 1]!), pointAt(line[k]!), thickness)
    }
  }
}

const pens = { strokes: drawBrush, blocks: drawBlock, text: drawText } as const
const shapes = ['strokes', 'blocks', 'text'] as const

function coverageOf(mask: Field): number {
  const { values } = mask
  let kept = 0
  // Indexing is many times faster than for...of.
  for (let i = 0; i < values.length; i++) kept += values[i]!
  return 1 - kept / values.length
}

const parameters = {
  shape: {
    type: 'choice',
    summary: 'shape of the holes; any draws one at random',
    choices: ['any', ...shapes],
    default: 'any',
  },
  thickness: {
    type: 'number',
    summary: 'thickness of strokes and letters; blocks are 2 to 6 times as large',
    unit: 'px',
    minimum: 1,
    maximum: 500,
    default: [3, 16],
  },
  coverage: {
    type: 'number',
    summary: 'minimum share of the image to cover',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.05, 0.3],
  },
} as const satisfies Parameters

/** White holes for inpainting: brush strokes, blocks or text. */
export const holes = defineDegradation({
  name: 'holes',
  summary: 'white holes for inpainting: brush strokes, blocks or text',
  source:
    'IR-SDE, arXiv:2301.11699: mask * image + (1 - mask); masks are drawn instead of read from its files',
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
