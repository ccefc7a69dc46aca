// Painting for synthetic pictures: shapes are drawn as masks of coverage and filled with a color or another
// image. Coordinates are in pixels; the center of the first pixel is (0.5, 0.5).

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

/** Coverage of each pixel, 0..1, and the bounding box of all pixels that may be covered. */
export interface Mask extends Field {
  readonly used: { left: number; top: number; right: number; bottom: number }
}

export function emptyMask({ width, height }: Size): Mask {
  const used = { left: width, top: height, right: -1, bottom: -1 }
  return { width, height, values: new Float32Array(width * height), used }
}

/** Creates an image [3 h w] of one color. */
export function flat({ width, height }: Size, color: Color): Image {
  const pixels = width * height
  const data = new Float32Array(3 * pixels)
  for (let c = 0; c < 3; c++) data.fill(color[c]!, c * pixels, (c + 1) * pixels)
  return { width, height, channels: 3, data }
}

/**
 * Coverage at a signed distance inside an edge. `softness` is the width of the edge in px: 0 is aliased, 1
 * anti-aliased, more is blurred.
 */
export function coverageAt(inside: number, softness: number): number {
  if (softness <= 0) return inside > 0 ? 1 : 0
  return Math.min(Math.max(inside / softness + 0.5, 0), 1)
}

interface Bounds {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** Clips the bounds of a shape to whole pixels (inclusive) and extends the mask's bounding box by them. */
function use({ width, height, used }: Mask, bounds: Bounds, softness: number): Bounds {
  const margin = softness / 2
  const left = Math.max(Math.floor(bounds.left - margin), 0)
  const right = Math.min(Math.ceil(bounds.right + margin), width) - 1
  const top = Math.max(Math.floor(bounds.top - margin), 0)
  const bottom = Math.min(Math.ceil(bounds.bottom + margin), height) - 1
  if (left <= right && top <= bottom) {
    used.left = Math.min(used.left, left)
    used.right = Math.max(used.right, right)
    used.top = Math.min(used.top, top)
    used.bottom = Math.max(used.bottom, bottom)
  }
  return { left, top, right, bottom }
}

/** Adds a shape given by its signed distance function; overlaps keep the larger coverage. */
function cover(mask: Mask, bounds: Bounds, softness: number, inside: (x: number, y: number) => number): void {
  const { width, values } = mask
  const { left, top, right, bottom } = use(mask, bounds, softness)
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const value = coverageAt(inside(x + 0.5, y + 0.5), softness)
      if (value > values[y * width + x]!) values[y * width + x] = value
    }
  }
}

export interface LineStyle {
  /** Thickness in px. */
  readonly width: number
  /** Width of the edges in px; 0 is aliased. */
  readonly softness: number
}

/** Adds a line with round ends. A line thinner than its edge becomes paler instead of thinner. */
export function strokeLine(
  mask: Mask,
  [x0, y0]: Point,
  [x1, y1]: Point,
  { width, softness }: LineStyle,
): void {
  const { values } = mask
  const radius = width / 2
  const dx = x1 - x0
  const dy = y1 - y0
  const square = dx * dx + dy * dy
  const bounds = {
    left: Math.min(x0, x1) - radius,
    right: Math.max(x0, x1) + radius,
    top: Math.min(y0, y1) - radius,
    bottom: Math.max(y0, y1) + radius,
  }
  const { left, top, right, bottom } = use(mask, bounds, softness)
  // A steep line covers only a short band of each row.
  const band = dy === 0 ? Infinity : ((radius + softness) * Math.sqrt(square)) / Math.abs(dy)
  const lean = dy === 0 ? 0 : dx / dy
  for (let row = top; row <= bottom; row++) {
    const y = row + 0.5 - y0
    const middle = x0 + y * lean
    const first = Math.max(left, Math.floor(middle - band))
    const last = Math.min(right, Math.ceil(middle + band))
    for (let column = first; column <= last; column++) {
      const x = column + 0.5 - x0
      const along = square > 0 ? (x * dx + y * dy) / square : 0
      const t = Math.min(Math.max(along, 0), 1)
      const u = x - t * dx
      const v = y - t * dy
      const value = coverageAt(radius - Math.sqrt(u * u + v * v), softness)
      const at = row * mask.width + column
      if (value > values[at]!) values[at] = value
    }
  }
}

/** Adds a polyline. */
export function strokePath(mask: Mask, points: readonly Point[], style: LineStyle): void {
  for (let i = 1; i < points.length; i++) strokeLine(mask, points[i - 1]!, points[i]!, style)
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

/** Adds an axis-aligned rectangle with corners of `radius` px. */
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

/**
 * Adds a polygon by the even-odd rule: four scanlines a row with exact horizontal coverage, or one
 * whole-pixel scanline where it is aliased.
 */
export function fillPolygon(mask: Mask, points: readonly Point[], isAliased = false): void {
  const { width, values } = mask
  const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity }
  for (const [x, y] of points) {
    bounds.left = Math.min(bounds.left, x)
    bounds.right = Math.max(bounds.right, x)
    bounds.top = Math.min(bounds.top, y)
    bounds.bottom = Math.max(bounds.bottom, y)
  }
  const { left, top, right, bottom } = use(mask, bounds, 0)
  const lines = isAliased ? 1 : 4
  const row = new Float32Array(width)
  for (let y = top; y <= bottom; y++) {
    row.fill(0)
    for (let line = 0; line < lines; line++) {
      const crossings = crossingsOf(points, y + (line + 0.5) / lines)
      for (let i = 1; i < crossings.length; i += 2)
        addSpan(row, crossings[i - 1]!, crossings[i]!, 1 / lines, isAliased)
    }
    for (let x = left; x <= right; x++) values[y * width + x] = Math.max(values[y * width + x]!, row[x]!)
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

/** Rounds the corners of a path (Chaikin, 1974); an open path keeps its ends. */
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

/** Draws the outline of a smooth closed shape around a point; `wobble` 0 gives a circle. */
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

/**
 * Blends a color, or another image of the same size, into an image in place through a mask; clears the mask.
 */
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

/** Converts a hue in turns (0 red, 1/3 green), saturation and value in 0..1 to RGB. */
export function hsv(hue: number, saturation: number, value: number): Color {
  const channel = (offset: number) => {
    const k = (((offset + 6 * hue) % 6) + 6) % 6
    return value * (1 - saturation * Math.max(Math.min(k, 4 - k, 1), 0))
  }
  return [channel(5), channel(3), channel(1)]
}

/** Draws a color: grays, muted and strong colors, and the corners of the RGB cube. */
export function anyColor(random: Random): Color {
  const kind = random.uniform()
  const hue = random.uniform()
  if (kind < 0.15) return hsv(0, 0, random.uniform())
  if (kind < 0.55) return hsv(hue, between(random, 0.05, 0.6), between(random, 0.1, 1))
  if (kind < 0.9) return hsv(hue, between(random, 0.6, 1), between(random, 0.25, 1))
  return hsv(Math.floor(6 * hue) / 6, 1, 1)
}

/** Brightness of a color: Rec. 709 weights on the encoded values. */
export function brightness([red, green, blue]: Color): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** Draws a color whose brightness differs by at least `contrast` from that of another. */
export function contrasting(other: Color, contrast: number, random: Random): Color {
  for (let i = 0; i < 20; i++) {
    const color = anyColor(random)
    if (Math.abs(brightness(color) - brightness(other)) >= contrast) return color
  }
  return brightness(other) > 0.5 ? [0, 0, 0] : [1, 1, 1]
}
