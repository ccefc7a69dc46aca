// Line art: ink and pencil curves, hatching, diagrams, and cartoons of flat color with dark outlines.

import { sinCos } from '../../core/exactMath.ts'
import { type Random, weightedIndex } from '../../core/random.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { between } from '../numerics/fields.ts'
import {
  anyColor,
  blob,
  type Color,
  contrasting,
  emptyMask,
  fillDisk,
  fillPolygon,
  flat,
  hsv,
  type LineStyle,
  type Mask,
  type Point,
  paint,
  type Size,
  smoothPath,
  strokeLine,
  strokePath,
} from './canvas.ts'
import type { Picture } from './definePicture.ts'

function anyStroke(random: Random): LineStyle {
  const isThin = random.uniform() < 0.6
  return {
    width: isThin ? between(random, 0.8, 2) : between(random, 2, 6),
    softness: random.uniform() < 0.12 ? 0 : between(random, 0.8, 1.4),
  }
}

/** Draws a wandering curve. */
function anyCurve({ width, height }: Size, random: Random): readonly Point[] {
  const step = Math.max(width, height) * between(random, 0.06, 0.25)
  let angle = 2 * Math.PI * random.uniform()
  let turn = 0
  let [x, y] = [width * random.uniform(), height * random.uniform()]
  const points: Point[] = [[x, y]]
  const count = 3 + random.integer(9)
  for (let i = 0; i < count; i++) {
    turn = 0.5 * turn + 0.5 * random.normal()
    angle += turn
    const [sin, cos] = sinCos(angle)
    x += step * cos
    y += step * sin
    points.push([x, y])
  }
  return smoothPath(points, false, 3)
}

/** Adds a curve that thins towards both ends. */
function strokeTapered(mask: Mask, points: readonly Point[], ink: LineStyle): void {
  const count = points.length - 1
  for (let i = 0; i < count; i++) {
    const share = Math.min(i + 0.5, count - i - 0.5) / count
    strokeLine(mask, points[i]!, points[i + 1]!, {
      ...ink,
      width: Math.max(ink.width * Math.min(4 * share, 1), 0.7),
    })
  }
}

function drawCurves(image: Image, ink: Color, random: Random): void {
  const mask = emptyMask(image)
  const count = 3 + random.integer(12)
  const pen = anyStroke(random)
  for (let i = 0; i < count; i++) {
    const points = anyCurve(image, random)
    if (random.uniform() < 0.5) strokeTapered(mask, points, pen)
    else strokePath(mask, points, pen)
  }
  paint(image, mask, ink)
}

/** Covers a mask with parallel lines. */
function hatch(mask: Mask, spacing: number, ink: LineStyle, random: Random): void {
  const { width, height } = mask
  const [sin, cos] = sinCos(Math.PI * random.uniform())
  const reach = (width + height) / 2
  const wobble = 0.08 * spacing
  for (let offset = -reach + spacing * random.uniform(); offset < reach; offset += spacing) {
    const shift = offset + wobble * random.normal()
    const x = width / 2 - shift * sin
    const y = height / 2 + shift * cos
    strokeLine(mask, [x - reach * cos, y - reach * sin], [x + reach * cos, y + reach * sin], ink)
  }
}

/** Draws areas shaded by one or two layers of parallel lines. */
function drawHatching(image: Image, ink: Color, random: Random): void {
  const areas = emptyMask(image)
  const lines = emptyMask(image)
  const side = Math.max(image.width, image.height)
  const count = 2 + random.integer(4)
  const pen = { ...anyStroke(random), width: between(random, 0.7, 1.8) }
  for (let i = 0; i < count; i++) {
    const middle: Point = [image.width * random.uniform(), image.height * random.uniform()]
    const outline = blob(middle, side * between(random, 0.12, 0.45), 0.3, random)
    const isCrossed = random.uniform() < 0.35
    for (let layer = 0; layer < (isCrossed ? 2 : 1); layer++) {
      const inked = { ...image, data: image.data.slice() }
      hatch(lines, pen.width + between(random, 2, 7), pen, random)
      paint(inked, lines, ink)
      fillPolygon(areas, outline)
      paint(image, areas, inked)
    }
    if (random.uniform() < 0.7) strokePath(lines, outline, pen)
    paint(image, lines, ink)
  }
}

/** Draws shapes of flat color, most of them outlined, some with a flat shadow. */
function drawCartoon(image: Image, ink: Color, random: Random): void {
  const mask = emptyMask(image)
  const side = Math.max(image.width, image.height)
  const outlined = random.uniform() < 0.75
  const pen = { ...anyStroke(random), width: between(random, 1, 4.5) }
  const isAliased = pen.softness === 0
  const count = 4 + random.integer(8)
  for (let i = 0; i < count; i++) {
    const middle: Point = [image.width * random.uniform(), image.height * random.uniform()]
    const radius = side * between(random, 0.06, 0.4)
    const outline =
      random.uniform() < 0.7
        ? blob(middle, radius, between(random, 0, 0.4), random)
        : block(middle, radius, random)
    const color = anyColor(random)
    fillPolygon(mask, outline, isAliased)
    paint(image, mask, color)
    if (random.uniform() < 0.4) {
      // Small enough to stay within the outline.
      const shade = 0.75
      const shifted = outline.map(
        ([x, y]): Point => [
          middle[0] + 0.7 * (x - middle[0]) + 0.15 * radius,
          middle[1] + 0.7 * (y - middle[1]) + 0.15 * radius,
        ],
      )
      fillPolygon(mask, shifted, isAliased)
      paint(image, mask, [shade * color[0], shade * color[1], shade * color[2]])
    }
    if (random.uniform() < 0.3) drawEyes(image, mask, middle, 0.25 * radius, pen.softness)
    if (!outlined) continue
    strokePath(mask, [...outline, outline[0]!], pen)
    paint(image, mask, ink)
  }
}

function block([x, y]: Point, radius: number, random: Random): readonly Point[] {
  const [sin, cos] = sinCos(random.uniform() < 0.5 ? 0 : 2 * Math.PI * random.uniform())
  const [wide, high] = [radius * between(random, 0.4, 1), radius * between(random, 0.4, 1)]
  const corners = [
    [-wide, -high],
    [wide, -high],
    [wide, high],
    [-wide, high],
  ] as const
  return corners.map(([u, v]): Point => [x + u * cos - v * sin, y + u * sin + v * cos])
}

function drawEyes(image: Image, mask: Mask, [x, y]: Point, size: number, softness: number): void {
  for (const side of [-1, 1]) {
    const middle: Point = [x + 1.2 * side * size, y - 0.8 * size]
    fillDisk(mask, middle, size, softness)
    paint(image, mask, [1, 1, 1])
    fillDisk(mask, [middle[0] + 0.2 * size, middle[1]], 0.5 * size, softness)
    paint(image, mask, [0.05, 0.05, 0.05])
  }
}

/** Draws a plot: a grid and one to three curves. */
function drawDiagram(image: Image, ink: Color, random: Random): void {
  const mask = emptyMask(image)
  const { width, height } = image
  const step = 8 + random.integer(24)
  const grid = { width: 1, softness: 1 }
  for (let x = step / 2; x < width; x += step)
    strokeLine(mask, [Math.floor(x) + 0.5, 0], [Math.floor(x) + 0.5, height], grid)
  for (let y = step / 2; y < height; y += step)
    strokeLine(mask, [0, Math.floor(y) + 0.5], [width, Math.floor(y) + 0.5], grid)
  paint(image, mask, ink, between(random, 0.1, 0.5))
  const curves = 1 + random.integer(3)
  for (let i = 0; i < curves; i++) {
    let y = height * random.uniform()
    const points: Point[] = []
    for (let x = -step; x < width + step; x += step / 2) {
      y += 0.4 * step * random.normal()
      points.push([x, y])
    }
    const pen = { width: between(random, 1, 3), softness: 1 }
    strokePath(mask, random.uniform() < 0.5 ? points : smoothPath(points, false), pen)
    if (random.uniform() < 0.4) for (const point of points) fillDisk(mask, point, pen.width + 1, 1)
    paint(image, mask, anyColor(random))
  }
}

const manners = [
  [3, drawCurves],
  [2, drawHatching],
  [5, drawCartoon],
  [1, drawDiagram],
] as const

function draw(size: Size, random: Random): Image {
  const isPaper = random.uniform() < 0.65
  const paper = isPaper
    ? hsv(random.uniform(), 0.1 * random.uniform(), between(random, 0.88, 1))
    : anyColor(random)
  const isBlack = random.uniform() < 0.6
  const ink =
    isPaper && isBlack ? hsv(random.uniform(), 0.3, 0.25 * random.uniform()) : contrasting(paper, 0.3, random)
  const image = flat(size, paper)
  const weights = manners.map(([weight]) => weight)
  manners[weightedIndex(weights, random)]![1](image, ink, random)
  return in8Bits(image)
}

export const lineArt: Picture = {
  summary: 'ink and pencil curves, hatching, diagrams, cartoons of flat color',
  draw,
}
