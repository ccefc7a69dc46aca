// Painting for synthetic pictures: shapes as masks of coverage, anti-aliased or not, and color laid through them.
// Coordinates are pixels; the middle of the first pixel is (0.5, 0.5).

import { sinCos } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'
import type { Image } from '../../data/image.ts'
import { between, type Field } from '../numerics/fields.ts'

export interface Size {
  readonly width: number
  readonly height: number
}

/** RGB in 0..1. */
export type Color = readonly [red: number, green: number, blue: number]
export type Point = readonly [x: number, y: number]

/** Coverage of each pixel, 0..1, and the box outside of which it is 0. */
export interface Mask extends Field {
  readonly used: { left: number; top: number; right: number; bottom: number }
}

export function emptyMask({ width, height }: Size): Mask {
  const used = { left: width, top: height, right: -1, bottom: -1 }
  return { width, height, values: new Float32Array(width * height), used }
}

/** An image [3 h w] of one color. */
export function flat({ width, height }: Size, color: Color): Image {
  const pixels = width * height
  const data = new Float32Array(3 * pixels)
  for (let c = 0; c < 3; c++) data.fill(color[c]!, c * pixels, (c + 1) * pixels)
  return { width, height, channels: 3, data }
}

/** Coverage at a signed distance inside an edge that is `softness` px wide: 0 for aliased, 1 for anti-aliased, more for blurred. */
export function coverageAt(inside: number, softness: number): number {
  if (softness <= 0) return inside > 0 ? 1 : 0
  return Math.min(Math.max(inside / softness + 0.5, 0), 1)
}

/** Calls `inside` for the pixels of a box and keeps the larger coverage. */
function cover(
  mask: Mask,
  box: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number },
  softness: number,
  inside: (x: number, y: number) => number,
): void {
  const { width, height, values, used } = mask
  const margin = softness / 2
  const left = Math.max(Math.floor(box.left - margin), 0)
  const right = Math.min(Math.ceil(box.right + margin), width) - 1
  const top = Math.max(Math.floor(box.top - margin), 0)
  const bottom = Math.min(Math.ceil(box.bottom + margin), height) - 1
  if (left > right || top > bottom) return
  used.left = Math.min(used.left, left)
  used.right = Math.max(used.right, right)
  used.top = Math.min(used.top, top)
  used.bottom = Math.max(used.bottom, bottom)
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const value = coverageAt(inside(x + 0.5, y + 0.5), softness)
      if (value > values[y * width + x]!) values[y * width + x] = value
    }
  }
}

/** Adds a line with round ends; one thinner than its edge is paler instead. */
export function strokeLine(
  mask: Mask,
  [x0, y0]: Point,
  [x1, y1]: Point,
  { width, softness }: { readonly width: number; readonly softness: number },
): void {
  const radius = width / 2
  const dx = x1 - x0
  const dy = y1 - y0
  const square = dx * dx + dy * dy
  const box = {
    left: Math.min(x0, x1) - radius,
    right: Math.max(x0, x1) + radius,
    top: Math.min(y0, y1) - radius,
    bottom: Math.max(y0, y1) + radius,
  }
  cover(mask, box, softness, (x, y) => {
    const along = square > 0 ? ((x - x0) * dx + (y - y0) * dy) / square : 0
    const t = Math.min(Math.max(along, 0), 1)
    const u = x - x0 - t * dx
    const v = y - y0 - t * dy
    return radius - Math.sqrt(u * u + v * v)
  })
}

/** Adds lines from point to point. */
export function strokePath(
  mask: Mask,
  points: readonly Point[],
  stroke: { readonly width: number; readonly softness: number },
): void {
  for (let i = 1; i < points.length; i++) strokeLine(mask, points[i - 1]!, points[i]!, stroke)
}

export function fillDisk(mask: Mask, [x, y]: Point, radius: number, softness: number): void {
  const box = { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius }
  cover(mask, box, softness, (u, v) => radius - Math.sqrt((u - x) * (u - x) + (v - y) * (v - y)))
}

export interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** Adds an upright rectangle, its corners rounded by `radius`. */
export function fillBox(mask: Mask, box: Box, radius: number, softness: number): void {
  const { left, top, width, height } = box
  const round = Math.min(radius, width / 2, height / 2)
  const x0 = left + width / 2
  const y0 = top + height / 2
  cover(mask, { left, top, right: left + width, bottom: top + height }, softness, (x, y) => {
    const u = Math.abs(x - x0) - width / 2 + round
    const v = Math.abs(y - y0) - height / 2 + round
    const corner = Math.sqrt(Math.max(u, 0) ** 2 + Math.max(v, 0) ** 2)
    return round - corner - Math.min(Math.max(u, v), 0)
  })
}

/** Adds a polygon by the even-odd rule, exact along rows and in quarters of a row; aliased at one line a row. */
export function fillPolygon(mask: Mask, points: readonly Point[], isAliased = false): void {
  const { width, height, values, used } = mask
  const ys = points.map(([, y]) => y)
  const top = Math.max(Math.floor(Math.min(...ys)), 0)
  const bottom = Math.min(Math.ceil(Math.max(...ys)), height) - 1
  if (top > bottom) return
  used.left = 0
  used.right = width - 1
  used.top = Math.min(used.top, top)
  used.bottom = Math.max(used.bottom, bottom)
  const lines = isAliased ? 1 : 4
  const row = new Float32Array(width)
  for (let y = top; y <= bottom; y++) {
    row.fill(0)
    for (let line = 0; line < lines; line++) {
      const crossings = crossingsOf(points, y + (line + 0.5) / lines)
      for (let i = 1; i < crossings.length; i += 2)
        addSpan(row, crossings[i - 1]!, crossings[i]!, 1 / lines, isAliased)
    }
    for (let x = 0; x < width; x++) values[y * width + x] = Math.max(values[y * width + x]!, row[x]!)
  }
}

function crossingsOf(points: readonly Point[], y: number): number[] {
  const crossings: number[] = []
  let [x0, y0] = points.at(-1)!
  for (const [x1, y1] of points) {
    if (y0 > y !== y1 > y) crossings.push(x0 + ((y - y0) * (x1 - x0)) / (y1 - y0))
    x0 = x1
    y0 = y1
  }
  return crossings.sort((a, b) => a - b)
}

function addSpan(row: Float32Array, from: number, to: number, weight: number, isAliased: boolean): void {
  const left = Math.max(isAliased ? Math.round(from) : from, 0)
  const right = Math.min(isAliased ? Math.round(to) : to, row.length)
  for (let x = Math.floor(left); x < right; x++) {
    const share = Math.min(x + 1, right) - Math.max(x, left)
    row[x] = Math.min(row[x]! + weight * share, 1)
  }
}

/** Rounds the corners of a path by cutting them (Chaikin, 1974); an open path keeps its ends. */
export function smoothPath(points: readonly Point[], isClosed: boolean, rounds = 2): readonly Point[] {
  if (rounds === 0 || points.length < 3) return isClosed ? [...points, points[0]!] : points
  const cut: Point[] = isClosed ? [] : [points[0]!]
  const count = isClosed ? points.length : points.length - 1
  for (let i = 0; i < count; i++) {
    const [x0, y0] = points[i]!
    const [x1, y1] = points[(i + 1) % points.length]!
    if (isClosed || i > 0) cut.push([0.75 * x0 + 0.25 * x1, 0.75 * y0 + 0.25 * y1])
    if (isClosed || i < count - 1) cut.push([0.25 * x0 + 0.75 * x1, 0.25 * y0 + 0.75 * y1])
  }
  if (!isClosed) cut.push(points.at(-1)!)
  return smoothPath(cut, isClosed, rounds - 1)
}

/** A closed, smooth shape around a point: `wobble` 0 for a circle. */
export function blob([x, y]: Point, radius: number, wobble: number, random: Random): readonly Point[] {
  const corners = 5 + random.integer(6)
  const start = 2 * Math.PI * random.uniform()
  const points = Array.from({ length: corners }, (_, i): Point => {
    const [sin, cos] = sinCos(start + (2 * Math.PI * i) / corners)
    const reach = radius * (1 + wobble * between(random, -1, 1))
    return [x + reach * cos, y + reach * sin]
  })
  return smoothPath(points, true, 3)
}

/** Lays a color, or what another image of this size shows, over an image in place where the mask covers it; empties the mask. */
export function paint(image: Image, mask: Mask, ink: Color | Image, opacity = 1): void {
  const { width, height, data } = image
  const { values, used } = mask
  const pixels = width * height
  const isPicture = 'data' in ink
  for (let y = used.top; y <= used.bottom; y++) {
    for (let i = y * width + used.left; i <= y * width + used.right; i++) {
      const alpha = opacity * values[i]!
      values[i] = 0
      if (alpha === 0) continue
      for (let c = 0; c < 3; c++) {
        const at = c * pixels + i
        const target = isPicture ? ink.data[at]! : ink[c]!
        data[at] = data[at]! + alpha * (target - data[at]!)
      }
    }
  }
  used.left = width
  used.top = height
  used.right = -1
  used.bottom = -1
}

/** A hue in turns (0 red, 1/3 green), saturation and value in 0..1, as RGB. */
export function hsv(hue: number, saturation: number, value: number): Color {
  const channel = (offset: number) => {
    const k = (((offset + 6 * hue) % 6) + 6) % 6
    return value * (1 - saturation * Math.max(Math.min(k, 4 - k, 1), 0))
  }
  return [channel(5), channel(3), channel(1)]
}

/** A color by chance: grays, muted and strong ones, and some of the corners of the cube. */
export function anyColor(random: Random): Color {
  const kind = random.uniform()
  const hue = random.uniform()
  if (kind < 0.15) return hsv(0, 0, random.uniform())
  if (kind < 0.55) return hsv(hue, between(random, 0.05, 0.6), between(random, 0.1, 1))
  if (kind < 0.9) return hsv(hue, between(random, 0.6, 1), between(random, 0.25, 1))
  return hsv(Math.floor(6 * hue) / 6, 1, 1)
}

/** Rec. 709 weights on the values as they are. */
export function brightness([red, green, blue]: Color): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** A color whose brightness differs by at least `contrast` from that of another. */
export function contrasting(other: Color, contrast: number, random: Random): Color {
  for (let i = 0; i < 20; i++) {
    const color = anyColor(random)
    if (Math.abs(brightness(color) - brightness(other)) >= contrast) return color
  }
  return brightness(other) > 0.5 ? [0, 0, 0] : [1, 1, 1]
}
