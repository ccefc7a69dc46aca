// Lamps at night: sources brighter than white with halos, lit windows, neon, disks out of focus and
// reflections on wet ground, all composed in linear light.

import { power, sinCos } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { between, blurField, type Field, noiseField } from '../numerics/fields.ts'
import {
  type Color,
  emptyMask,
  fillBox,
  fillDisk,
  fillPolygon,
  hsv,
  type Point,
  type Size,
  smoothPath,
  strokePath,
} from './canvas.ts'
import type { Picture } from './definePicture.ts'
import { addSpot, darkness, exposed, times } from './light.ts'

/** Draws the color of a lamp: sodium and tungsten, white, or the strong colors of signs. */
function lampColor(random: Random): Color {
  const kind = random.uniform()
  if (kind < 0.45) return hsv(between(random, 0.05, 0.12), between(random, 0.3, 0.9), 1)
  if (kind < 0.65) return hsv(between(random, 0.5, 0.65), between(random, 0, 0.3), 1)
  return hsv(random.uniform(), between(random, 0.7, 1), 1)
}

/** Adds light through a field of coverage; clears the field. */
function addLight(image: Image, { values }: Field, light: Color): void {
  const pixels = image.width * image.height
  for (let i = 0; i < pixels; i++) {
    const share = values[i]!
    if (share === 0) continue
    for (let c = 0; c < 3; c++) image.data[c * pixels + i] = image.data[c * pixels + i]! + share * light[c]!
  }
  values.fill(0)
}

/** Fills in the dark, uneven ground, sometimes with a house. */
function addGround(image: Image, random: Random): void {
  const { width, height, data } = image
  const pixels = width * height
  const ground = times(0.04 * random.uniform() ** 2, hsv(random.uniform(), between(random, 0, 0.7), 1))
  const { values } = noiseField(width, height, between(random, 8, 50), 4, random.fork(0))
  const fall = between(random, -0.9, 0.9)
  for (let i = 0; i < pixels; i++) {
    const row = Math.floor(i / width) / height
    const share = Math.max(1 + 0.35 * values[i]!, 0) * (1 + fall * (2 * row - 1))
    for (let c = 0; c < 3; c++) data[c * pixels + i] = ground[c]! * share
  }
  if (random.uniform() < 0.5) addHouse(image, random)
}

function addHouse(image: Image, random: Random): void {
  const mask = emptyMask(image)
  const { width, height } = image
  const window = { width: 3 + random.integer(8), height: 4 + random.integer(9) }
  const gap = 2 + random.integer(7)
  const right = width * between(random, 0.4, 1)
  const lit = between(random, 0.1, 0.6)
  for (let top = random.integer(20); top < height * 0.8; top += window.height + gap) {
    for (let left = random.integer(4); left < right; left += window.width + gap) {
      if (random.uniform() > lit) continue
      fillBox(mask, { left, top, ...window }, 0, 1)
      addLight(image, mask, times(between(random, 0.05, 0.9), lampColor(random)))
    }
  }
}

interface Lamp {
  readonly at: Point
  readonly size: number
  readonly color: Color
}

/** Adds a source that clips to white, in a halo of its color. */
function addLamp(image: Image, { at, size, color }: Lamp, random: Random): void {
  const light = power(2, between(random, 0, 4))
  const side = Math.max(image.width, image.height)
  const mask = emptyMask(image)
  if (random.uniform() < 0.7) fillDisk(mask, at, size, 1.2)
  else
    fillBox(
      mask,
      { left: at[0] - 2 * size, top: at[1] - size / 2, width: 4 * size, height: size },
      size / 4,
      1.2,
    )
  addLight(image, mask, times(light, color))
  addSpot(image, at, { peak: times(0.12 * light, color), radius: 1.8 * size, reach: side })
  addSpot(image, at, {
    peak: times(0.006 * light, color),
    radius: between(random, 6, 16) * size,
    reach: 2 * side,
  })
}

/** Adds a reflection on wet ground: a vertical streak broken by ripples. */
function addReflection(image: Image, { at, size, color }: Lamp, random: Random): void {
  const light = between(random, 0.1, 0.8)
  const from = at[1] + (image.height - at[1]) * between(random, 0.2, 0.6)
  for (let y = from; y < image.height; y += between(random, 1, 3)) {
    const share = light * random.uniform()
    const x = at[0] + 0.4 * size * random.normal()
    addSpot(image, [x, y], {
      peak: times(share, color),
      radius: size * between(random, 0.6, 1.4),
      reach: 8 * size,
    })
  }
}

/** Adds lamps out of focus: disks or polygons of the aperture's shape, brighter at the rim. */
function addBokeh(image: Image, random: Random): void {
  const mask = emptyMask(image)
  const { width, height } = image
  const blades = random.uniform() < 0.6 ? 0 : 5 + random.integer(4)
  const largest = Math.max(width, height) * between(random, 0.05, 0.2)
  const softness = between(random, 1, 3)
  const count = 4 + random.integer(22)
  for (let i = 0; i < count; i++) {
    const at: Point = [width * random.uniform(), height * random.uniform()]
    const radius = largest * between(random, 0.6, 1)
    const color = times(between(random, 0.03, 0.7) ** 1.5, lampColor(random))
    const rim = between(random, 0, 0.4)
    const shape = (size: number) => {
      if (blades === 0) fillDisk(mask, at, size, softness)
      else fillPolygon(mask, ring(at, size, blades))
    }
    shape(radius)
    addLight(image, mask, times(1 + rim, color))
    shape(0.9 * radius)
    addLight(image, mask, times(-rim, color))
  }
}

function ring([x, y]: Point, radius: number, count: number): readonly Point[] {
  return Array.from({ length: count }, (_, i): Point => {
    const [sin, cos] = sinCos((2 * Math.PI * (i + 0.25)) / count)
    return [x + radius * cos, y + radius * sin]
  })
}

/** Adds a neon tube with a glow of its color. */
function addNeon(image: Image, random: Random): void {
  const mask = emptyMask(image)
  const { width, height } = image
  const color = lampColor(random)
  const stroke = { width: between(random, 1.5, 4), softness: 1.3 }
  const corner = (): Point => [width * random.uniform(), height * random.uniform()]
  const corners = Array.from({ length: 3 + random.integer(4) }, corner)
  strokePath(mask, random.uniform() < 0.5 ? corners : smoothPath(corners, false), stroke)
  const glow = blurField(mask, 3 * stroke.width)
  addLight(image, glow, times(between(random, 0.3, 1), color))
  addLight(image, mask, times(between(random, 0.8, 4), color))
}

function draw(size: Size, random: Random): Image {
  const { width, height } = size
  const image = darkness(size)
  addGround(image, random.fork(1))
  const isOutOfFocus = random.uniform() < 0.35
  if (isOutOfFocus) addBokeh(image, random.fork(2))
  if (random.uniform() < 0.15) addNeon(image, random.fork(3))
  const isWet = random.uniform() < 0.3
  const count = isOutOfFocus ? random.integer(2) : 1 + random.integer(6)
  const scale = between(random, 1, 5)
  for (let i = 0; i < count; i++) {
    const lamp: Lamp = {
      at: [width * random.uniform(), height * random.uniform() * (isWet ? 0.6 : 1)],
      size: scale * between(random, 0.5, 1.5),
      color: lampColor(random),
    }
    addLamp(image, lamp, random)
    if (isWet) addReflection(image, lamp, random)
  }
  return in8Bits(exposed(image))
}

export const lamps: Picture = {
  summary: 'lamps at night: clipped sources with halos, lit windows, neon, disks out of focus',
  draw,
}
