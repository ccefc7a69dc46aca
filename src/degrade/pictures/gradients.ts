// Gradients and clear skies, where banding and compression are most visible: smooth, posterized and dithered,
// some with a sharp silhouette in front.

import { power, sinCos } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { between, noiseField, smoothstep } from '../numerics/fields.ts'
import {
  anyColor,
  type Color,
  emptyMask,
  fillPolygon,
  hsv,
  type Point,
  paint,
  type Size,
  strokeLine,
} from './canvas.ts'
import type { Picture } from './definePicture.ts'

/** Position along a gradient at a pixel, 0..1. */
type Course = (x: number, y: number) => number

function anyCourse({ width, height }: Size, random: Random): Course {
  const side = Math.max(width, height)
  const kind = random.uniform()
  const [sin, cos] = sinCos(2 * Math.PI * random.uniform())
  const length = side * between(random, 0.7, 3)
  const offset = between(random, -0.3, 0.3)
  if (kind < 0.55) return (x, y) => 0.5 + offset + ((x - width / 2) * cos + (y - height / 2) * sin) / length
  const x0 = width * between(random, -0.3, 1.3)
  const y0 = height * between(random, -0.3, 1.3)
  if (kind < 0.85) return (x, y) => Math.sqrt((x - x0) * (x - x0) + (y - y0) * (y - y0)) / length
  const { values } = noiseField(width, height, side * between(random, 0.4, 1), 1, random.fork(0))
  return (x, y) => 0.5 + 0.3 * values[y * width + x]!
}

/** Draws the colors of a gradient: unrelated ones, or nearly equal ones as on walls. */
function anyColors(random: Random): readonly Color[] {
  const first = anyColor(random)
  const count = 2 + random.integer(3)
  if (random.uniform() < 0.6) return Array.from({ length: count }, () => anyColor(random))
  const step = between(random, 0.02, 0.15)
  const near = (value: number) => Math.min(Math.max(value + step * random.normal(), 0), 1)
  return Array.from({ length: count }, (): Color => [near(first[0]), near(first[1]), near(first[2])])
}

/** Draws the colors of a sky from the zenith to the horizon. */
function skyColors(random: Random): readonly Color[] {
  const kind = random.uniform()
  if (kind < 0.6) {
    const hue = between(random, 0.53, 0.64)
    return [
      hsv(hue, between(random, 0.5, 0.95), between(random, 0.3, 0.85)),
      hsv(hue - 0.02, between(random, 0.3, 0.6), between(random, 0.6, 0.95)),
      hsv(hue - 0.04, between(random, 0.02, 0.3), between(random, 0.75, 1)),
    ]
  }
  const glow = between(random, 0, 0.12)
  return [
    hsv(between(random, 0.58, 0.8), between(random, 0.4, 0.8), between(random, 0.1, 0.5)),
    hsv(between(random, 0.8, 1), between(random, 0.2, 0.6), between(random, 0.3, 0.7)),
    hsv(glow, between(random, 0.5, 0.95), between(random, 0.7, 1)),
  ]
}

/** Renders a gradient with smooth transitions between its colors. */
function fillAlong({ width, height }: Size, course: Course, colors: readonly Color[]): Image {
  const pixels = width * height
  const data = new Float32Array(3 * pixels)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = Math.min(Math.max(course(x, y), 0), 1) * (colors.length - 1)
      const first = Math.min(Math.floor(at), colors.length - 2)
      const share = smoothstep(0, 1, at - first)
      for (let c = 0; c < 3; c++) {
        const from = colors[first]![c]!
        data[c * pixels + y * width + x] = from + share * (colors[first + 1]![c]! - from)
      }
    }
  }
  return { width, height, channels: 3, data }
}

/** Adds thin clouds: white where smooth noise is high. */
function addClouds(image: Image, random: Random): void {
  const { width, height, data } = image
  const pixels = width * height
  const { values } = noiseField(width, height, between(random, 15, 70), 4, random)
  const [low, high] = [between(random, -0.5, 0.8), between(random, 1, 2.5)]
  const strength = between(random, 0.1, 0.9)
  for (let i = 0; i < pixels; i++) {
    const alpha = strength * smoothstep(low, high, values[i]!)
    for (let c = 0; c < 3; c++)
      data[c * pixels + i] = data[c * pixels + i]! + alpha * (1 - data[c * pixels + i]!)
  }
}

/** Adds a sharp silhouette: hills or roofs, wires, masts. */
function addSilhouette(image: Image, random: Random): void {
  const { width, height } = image
  const mask = emptyMask(image)
  const level = height * between(random, 0.5, 1.1)
  const step = width / (3 + random.integer(20))
  const isBuilt = random.uniform() < 0.5
  const outline: Point[] = [[-1, height + 1]]
  let y = level
  for (let x = -1; x <= width + step; x += step) {
    const next = level + 0.12 * height * random.normal()
    if (isBuilt) outline.push([x, y])
    outline.push([x, next])
    y = next
  }
  fillPolygon(mask, [...outline, [width + step, height + 1]])
  const wires = random.integer(4)
  const dark = hsv(random.uniform(), 0.5 * random.uniform(), 0.25 * random.uniform())
  for (let i = 0; i < wires; i++) {
    const stroke = { width: between(random, 0.7, 2.5), softness: 1 }
    const isUpright = random.uniform() < 0.3
    const at = width * random.uniform()
    const from: Point = isUpright ? [at, level * random.uniform()] : [0, height * random.uniform()]
    const to: Point = isUpright ? [at, height] : [width, height * random.uniform()]
    strokeLine(mask, from, to, stroke)
  }
  paint(image, mask, dark)
}

/** Adds uniform noise of one 8-bit step, which hides banding. */
function dither(image: Image, random: Random): void {
  const { data } = image
  for (let i = 0; i < data.length; i++) data[i] = data[i]! + (random.uniform() - 0.5) / 255
}

/** Rounds to few levels, as in files with a small palette. */
function posterize(image: Image, levels: number): void {
  const { data } = image
  for (let i = 0; i < data.length; i++) data[i] = Math.round(data[i]! * levels) / levels
}

function draw(size: Size, random: Random): Image {
  const isSky = random.uniform() < 0.5
  const bend = power(2, between(random, -1, 1))
  const zenith = between(random, -0.3, 0.3)
  const tilt = between(random, -0.15, 0.15)
  const span = size.height * between(random, 1, 2.5)
  const course: Course = isSky
    ? (x, y) => power(Math.max(zenith + (y + tilt * x) / span, 0), bend)
    : anyCourse(size, random)
  const image = fillAlong(size, course, isSky ? skyColors(random) : anyColors(random))
  if (isSky && random.uniform() < 0.35) addClouds(image, random.fork(1))
  const finish = random.uniform()
  if (finish < 0.4) dither(image, random.fork(2))
  else if (!isSky && finish < 0.47) posterize(image, 4 + random.integer(28))
  if (isSky && random.uniform() < 0.5) addSilhouette(image, random.fork(3))
  return in8Bits(image)
}

export const gradients: Picture = {
  summary: 'smooth gradients and clear skies: 8-bit, posterized or dithered, some behind a silhouette',
  draw,
}
