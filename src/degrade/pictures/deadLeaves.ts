// Dead leaves: textured shapes that occlude one another, as objects in photos do. Sizes follow a power law,
// which gives the statistics of natural images (Lee, Mumford and Huang, IJCV 2001). As training data:
// arXiv:2504.10201.

import { power, sinCos } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { between, type Field, noiseField } from '../numerics/fields.ts'
import { anyColor, type Color, coverageAt, hsv, type Point, type Size } from './canvas.ts'
import type { Picture } from './definePicture.ts'

/**
 * An ellipse, or a convex polygon as an intersection of half planes. Plain data is faster here than closures.
 */
interface Outline {
  readonly sin: number
  readonly cos: number
  /** Semi-axes of the ellipse in px. */
  readonly long: number
  readonly short: number
  /** Three numbers a side: normal x, normal y, distance from the center in px; empty for an ellipse. */
  readonly sides: Float64Array
}

/** Relief of a texture at a pixel, about -1..1. */
type Texture = (x: number, y: number) => number

function outlineOf(radius: number, random: Random): Outline {
  const kind = random.uniform()
  const [sin, cos] = sinCos(2 * Math.PI * random.uniform())
  const ratio = between(random, 0.15, 0.8)
  const round = {
    sin,
    cos,
    long: radius,
    short: kind < 0.35 ? radius : ratio * radius,
    sides: new Float64Array(0),
  }
  if (kind < 0.6) return round
  if (kind >= 0.75) return { ...round, short: radius, sides: convexSides(radius, random) }
  // A bar, within the circle of its radius.
  const [long, short] = [0.9 * radius, 0.6 * ratio * radius]
  const sides = Float64Array.of(cos, sin, long, -cos, -sin, long, -sin, cos, short, sin, -cos, short)
  return { ...round, short: radius, sides }
}

function convexSides(radius: number, random: Random): Float64Array {
  const count = 3 + random.integer(5)
  const sides = new Float64Array(3 * count)
  const start = random.uniform()
  for (let i = 0; i < count; i++) {
    const [ny, nx] = sinCos((2 * Math.PI * (start + i + between(random, -0.3, 0.3))) / count)
    sides.set([nx, ny, radius * between(random, 0.45, 0.8)], 3 * i)
  }
  return sides
}

/** Signed distance in px inside the edge of a leaf around (0, 0). */
function distanceInside({ sin, cos, long, short, sides }: Outline, x: number, y: number): number {
  const u = (x * cos + y * sin) / long
  const v = (y * cos - x * sin) / short
  let inside = (1 - Math.sqrt(u * u + v * v)) * short
  for (let i = 0; i < sides.length; i += 3) {
    const distance = sides[i + 2]! - sides[i]! * x - sides[i + 1]! * y
    if (distance < inside) inside = distance
  }
  return inside
}

/** Noise shared by the leaves of a picture, each of which reads it at another offset. */
interface Grains {
  readonly fine: Field
  readonly coarse: Field
}

function lookAt({ width, height, values }: Field, random: Random): Texture {
  const left = random.integer(width)
  const top = random.integer(height)
  return (x, y) => values[((y + top) % height) * width + ((x + left) % width)]!
}

/** Draws the texture of a leaf around a point; undefined for a flat one. */
function textureOf([x0, y0]: Point, radius: number, grains: Grains, random: Random): Texture | undefined {
  const kind = random.uniform()
  if (kind < 0.35) return undefined
  const [sin, cos] = sinCos(2 * Math.PI * random.uniform())
  if (kind < 0.55) {
    const offset = between(random, -1, 1)
    return (x, y) => ((x - x0) * cos + (y - y0) * sin) / (1.5 * radius) + offset
  }
  if (kind < 0.7) return lookAt(grains.fine, random)
  if (kind < 0.85) return lookAt(grains.coarse, random)
  // Periods scale with the leaf and are at least 3 px, well above the Nyquist limit.
  const frequency = 1 / Math.max(between(random, 0.1, 0.6) * radius, between(random, 3, 8))
  const phase = 2 * Math.PI * random.uniform()
  const isSquare = random.uniform() < 0.25
  return (x, y) => {
    const [wave] = sinCos(2 * Math.PI * frequency * (x * cos + y * sin) + phase)
    return isSquare ? Math.min(Math.max(2.5 * wave, -1), 1) : wave
  }
}

interface Leaf {
  readonly x: number
  readonly y: number
  readonly radius: number
  readonly softness: number
  readonly outline: Outline
  readonly texture: Texture | undefined
  readonly color: Color
  /** Change of each channel where the texture is 1. */
  readonly relief: Color
}

function bounded(value: number): number {
  return Math.min(Math.max(value, 0), 1)
}

/** Paints a leaf below all earlier ones where the picture is still open; returns the area it closes in px. */
function addLeaf(image: Image, open: Float32Array, leaf: Leaf): number {
  const { width, height, data } = image
  const { x, y, radius, softness, outline, texture, color, relief } = leaf
  const pixels = width * height
  const reach = radius + softness
  let closed = 0
  for (let row = Math.max(Math.ceil(y - reach), 0); row <= Math.min(y + reach, height - 1); row++) {
    for (let column = Math.max(Math.ceil(x - reach), 0); column <= Math.min(x + reach, width - 1); column++) {
      const at = row * width + column
      const free = open[at]!
      if (free === 0) continue
      const share = free * coverageAt(distanceInside(outline, column - x, row - y), softness)
      if (share === 0) continue
      const pattern = texture ? texture(column, row) : 0
      data[at] = data[at]! + share * bounded(color[0] + pattern * relief[0])
      data[pixels + at] = data[pixels + at]! + share * bounded(color[1] + pattern * relief[1])
      data[2 * pixels + at] = data[2 * pixels + at]! + share * bounded(color[2] + pattern * relief[2])
      open[at] = free - share < 0.004 ? 0 : free - share
      closed += share
    }
  }
  return closed
}

/** Draws a palette: a few hues, and a share of unrelated colors. */
function paletteOf(random: Random): (random: Random) => Color {
  const hues = Array.from({ length: 1 + random.integer(3) }, () => random.uniform())
  const strangers = 0.03 + 0.6 * random.uniform() ** 2
  const dullest = between(random, 0, 0.5)
  return (own) => {
    if (own.uniform() < strangers) return anyColor(own)
    const hue = hues[own.integer(hues.length)]! + 0.06 * own.normal()
    return hsv(hue, between(own, dullest, 0.9), between(own, 0.05, 1))
  }
}

function draw({ width, height }: Size, random: Random): Image {
  const side = Math.max(width, height)
  const grains = {
    fine: noiseField(width, height, between(random, 1, 3), 1, random.fork(1)),
    coarse: noiseField(width, height, between(random, 6, 20), 4, random.fork(2)),
  }
  const exponent = 1 - between(random, 1.8, 3.1)
  const least = between(random, 1, 4) ** 1.5
  const most = side * between(random, 0.25, 0.8)
  const [low, high] = [power(least, exponent), power(most, exponent)]
  const pick = paletteOf(random)
  const sharpest = between(random, 0.8, 1.6)
  const image = { width, height, channels: 3, data: new Float32Array(3 * width * height) }
  const open = new Float32Array(width * height).fill(1)
  let left = width * height
  for (let count = 0; count < 4000 && left > 0.001 * width * height; count++) {
    const drawn = power(low + random.uniform() * (high - low), 1 / exponent)
    // Large leaves close the last gaps much faster than small ones.
    const radius = left < 0.05 * width * height ? Math.max(drawn, most / 4) : drawn
    const isBlurred = random.uniform() < 0.1
    const depth = random.uniform() < 0.5 ? 0 : between(random, 0.03, 0.35)
    const tint = between(random, 0.3, 1)
    const x = between(random, -0.5 * radius, width + 0.5 * radius)
    const y = between(random, -0.5 * radius, height + 0.5 * radius)
    left -= addLeaf(image, open, {
      x,
      y,
      radius,
      softness: isBlurred ? between(random, 1.5, 6) : sharpest,
      outline: outlineOf(radius, random),
      texture: depth === 0 ? undefined : textureOf([x, y], radius, grains, random),
      color: pick(random),
      relief: [depth, depth * tint, depth * (2 * tint - 1)],
    })
  }
  return in8Bits(closeGaps(image, open, pick(random)))
}

function closeGaps(image: Image, open: Float32Array, color: Color): Image {
  const data = image.data.map(
    (value, i) => value + open[i % open.length]! * color[Math.floor(i / open.length)]!,
  )
  return { ...image, data }
}

export const deadLeaves: Picture = {
  summary: 'textured shapes of all sizes that occlude one another, as objects in photos do',
  draw,
}
