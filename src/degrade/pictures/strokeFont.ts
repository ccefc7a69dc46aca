// A stroke font on a grid: capitals from row 0 to the baseline at 6, small letters from 2, descenders to 8.
// The pen adds weight, slant, serifs and contrast.

import type { Random } from '../../core/random.ts'
import { between, smoothstep } from '../numerics/fields.ts'
import { fillDisk, type Mask, type Point, smoothPath, strokeLine } from './canvas.ts'

/**
 * Strokes of each character. A point is two digits, x and y; ~ starts an open curve, @ a closed one; a single
 * point is a dot.
 */
const strokes: Readonly<Record<string, string>> = {
  A: '062046 1434',
  B: '0006 ~00404303 ~03434606',
  C: '~414000064645',
  D: '0006 ~00404606',
  E: '40000646 0333',
  F: '400006 0333',
  G: '~414000064643 2343',
  H: '0006 4046 0343',
  I: '0006',
  J: '~30360604',
  K: '0006 4004 1346',
  L: '000646',
  M: '0600244046',
  N: '06004640',
  O: '@00404606',
  P: '0006 ~00404303',
  Q: '@00404606 2447',
  R: '0006 ~00404303 2346',
  S: '~4140000343460605',
  T: '0040 2026',
  U: '~00064640',
  V: '002640',
  W: '0016223640',
  X: '0046 4006',
  Y: '002340 2326',
  Z: '00400646',
  a: '@02323606 3236',
  b: '0006 @02323606',
  c: '~333202063635',
  d: '3036 @02323606',
  e: '0434 ~343202020636',
  f: '~30101216 0222',
  g: '@02323606 ~32383808',
  h: '0006 ~03023236',
  i: '0206 00',
  j: '~12181808 10',
  k: '0006 3205 1436',
  l: '0006',
  m: '0206 ~03022226 ~23224246',
  n: '0206 ~03023236',
  o: '@02323606',
  p: '0208 @02323606',
  q: '3238 @02323606',
  r: '0206 ~040232',
  s: '~3332020434360605',
  t: '~10101636 0222',
  u: '~02063632 3236',
  v: '022642',
  w: '0216233642',
  x: '0236 3206',
  y: '0226 4218',
  z: '02320636',
  0: '@00404606',
  1: '112026',
  2: '~0100404306 0646',
  3: '~0100404323 ~2343460605',
  4: '36300444',
  5: '400003 ~0343460605',
  6: '@03434606 ~30000004',
  7: '004016',
  8: '@00404303 @03434606',
  9: '@00404303 ~42464616',
  '.': '06',
  ',': '0607',
  ':': '03 06',
  ';': '03 0607',
  '!': '0004 06',
  '?': '~010040432324 26',
  '-': '0434',
  '+': '0444 2226',
  '=': '0343 0545',
  '/': '0640',
  '(': '~10000616',
  ')': '~00101606',
  '[': '10000616',
  "'": '0001',
  '"': '0001 1011',
  '#': '1016 3036 0242 0444',
  '%': '0640 @00101202 @34444636',
  $: '~4140000343460605 2026',
  '<': '300336',
  '>': '003306',
  _: '0747',
}

interface Glyph {
  readonly width: number
  readonly lines: readonly {
    readonly kind: 'straight' | 'open' | 'closed'
    readonly points: readonly Point[]
  }[]
}

function parseGlyph(text: string): Glyph {
  const lines = text.split(' ').map((stroke) => {
    const first = stroke[0]
    const digits = stroke.replace(/[~@]/, '')
    const points = Array.from({ length: digits.length / 2 }, (_, i): Point => {
      return [Number(digits[2 * i]), Number(digits[2 * i + 1])]
    })
    const kind =
      first === '~' ? ('open' as const) : first === '@' ? ('closed' as const) : ('straight' as const)
    return { kind, points }
  })
  return { width: Math.max(...lines.flatMap(({ points }) => points.map(([x]) => x))), lines }
}

const glyphs = new Map(Object.entries(strokes).map(([letter, text]) => [letter, parseGlyph(text)]))
const marks = [...'.,:;!?-+=/()[\'"#%$<>_']

/** Style of the letters. */
export interface Pen {
  /** Pixels per unit of the grid. */
  readonly unit: number
  /** Width of letters relative to the grid's. */
  readonly stretch: number
  /** Thickness of vertical strokes in px. */
  readonly weight: number
  /** Thickness of horizontal strokes relative to that of vertical ones. */
  readonly level: number
  /** Shift to the right per px upwards. */
  readonly slant: number
  readonly hasSerifs: boolean
  /** Width of the edges in px; 0 is aliased. */
  readonly softness: number
  /** Sine and cosine of the angle of the line of text. */
  readonly turn: readonly [sin: number, cos: number]
}

/** Draws a character with its upper left corner at a point; returns its advance along the line in px. */
export function drawGlyph(mask: Mask, letter: string, [left, top]: Point, pen: Pen): number {
  const glyph = glyphs.get(letter)
  if (!glyph) return 2.4 * pen.unit
  const [sin, cos] = pen.turn
  const place = ([x, y]: Point): Point => {
    const up = (6 - y) * pen.unit
    const u = x * pen.unit * pen.stretch + pen.slant * up
    const v = y * pen.unit
    return [left + u * cos - v * sin, top + u * sin + v * cos]
  }
  const line = (from: Point, to: Point) => {
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
    const steep = Math.abs(dy) / Math.max(Math.abs(dx) + Math.abs(dy), 1e-6)
    const width = pen.weight * (pen.level + (1 - pen.level) * smoothstep(0.1, 0.8, steep))
    strokeLine(mask, place(from), place(to), { width, softness: pen.softness })
  }
  // Small curves need few segments.
  const rounds = pen.unit < 1.5 ? 1 : pen.unit < 5 ? 2 : 3
  for (const { kind, points } of glyph.lines) {
    const path = kind === 'straight' ? points : smoothPath(points, kind === 'closed', rounds)
    const [first] = path
    if (path.length === 1) fillDisk(mask, place(first!), Math.max(0.62 * pen.weight, 0.6), pen.softness)
    for (let i = 1; i < path.length; i++) line(path[i - 1]!, path[i]!)
    if (!pen.hasSerifs || kind !== 'straight') continue
    for (const [from, to] of serifsOf(points))
      strokeLine(mask, place(from), place(to), {
        width: Math.max(0.6 * pen.weight, 0.8),
        softness: pen.softness,
      })
  }
  return (glyph.width * pen.stretch + 1.5) * pen.unit + 0.6 * pen.weight
}

/** Horizontal bars at the ends of a vertical stroke. */
function serifsOf(points: readonly Point[]): readonly (readonly [Point, Point])[] {
  if (points.length !== 2 || points[0]![0] !== points[1]![0] || points[0]![1] + 2 > points[1]![1]) return []
  return points.map(([x, y]) => [
    [x - 0.8, y],
    [x + 0.8, y],
  ])
}

const small =
  'eeeeeeeeeeeetttttttttaaaaaaaaoooooooiiiiiiinnnnnnnssssssrrrrrrhhhhhddddllllcccuuummwwffggyyppbbvkjxqz'

/** Draws a word, a number or an abbreviation with the letter frequencies of English. */
export function anyWord(random: Random): string {
  const kind = random.uniform()
  const length = 1 + Math.floor(between(random, 0, 3) + between(random, 0, 5))
  if (kind < 0.15) return Array.from({ length: Math.min(length, 5) }, () => random.integer(10)).join('')
  const letters = Array.from({ length }, () => small[random.integer(small.length)]!).join('')
  const mark = random.uniform() < 0.12 ? marks[random.integer(marks.length)]! : ''
  if (kind < 0.25) return letters.toUpperCase() + mark
  return (kind < 0.45 ? letters[0]!.toUpperCase() + letters.slice(1) : letters) + mark
}

/** Draws an invented sign as dense as an ideograph; returns its advance like {@link drawGlyph}. */
export function drawIdeograph(mask: Mask, [left, top]: Point, pen: Pen, random: Random): number {
  const [sin, cos] = pen.turn
  const place = (x: number, y: number): Point => {
    const u = x * pen.unit * pen.stretch
    const v = y * pen.unit
    return [left + u * cos - v * sin, top + u * sin + v * cos]
  }
  const count = 4 + random.integer(6)
  for (let i = 0; i < count; i++) {
    const at = random.integer(4) * 2
    const from = random.integer(3) * 2
    const to = Math.min(from + 2 + 2 * random.integer(3), 6)
    const kind = random.uniform()
    const stroke = { width: pen.weight * (kind < 0.5 ? pen.level : 1), softness: pen.softness }
    if (kind < 0.5) strokeLine(mask, place(from, at), place(to, at), stroke)
    else if (kind < 0.9) strokeLine(mask, place(at, from), place(at, to), stroke)
    else strokeLine(mask, place(3, at / 2), place(from, at / 2 + 3), stroke)
  }
  return 7.6 * pen.unit * pen.stretch
}
