// Gratings, zone plates, checkerboards, spokes and halftone: regular fine detail as in fabric, fences,
// facades and print, all of it below the Nyquist frequency.

import { sinCos } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { between, noiseField, smoothstep } from '../numerics/fields.ts'
import { anyColor, type Color, contrasting, type Size } from './canvas.ts'
import type { Picture } from './definePicture.ts'

/** Highest frequency drawn, in periods per px; the Nyquist limit is 0.5. */
const highest = 0.42

/** Value of a pattern at a pixel, 0..1. */
type Pattern = (x: number, y: number) => number

/** Maps a sine to 0..1, or to stripes with edges about a pixel wide. */
function shaped(wave: number, frequency: number, isSquare: boolean): number {
  if (!isSquare) return 0.5 + 0.5 * wave
  // The sine's slope at 0 is 2 pi frequency per px.
  return Math.min(Math.max(0.5 + wave / (2 * Math.PI * Math.min(frequency, 0.159)), 0), 1)
}

export interface Grating {
  /** Periods per px. */
  readonly frequency: number
  /** Sine and cosine of the angle across the stripes. */
  readonly turn: readonly [sin: number, cos: number]
  /** Phase in turns. */
  readonly phase: number
  readonly isSquare: boolean
}

/** Creates a pattern of parallel stripes. */
export function grating({ frequency, turn, phase, isSquare }: Grating): Pattern {
  const [sin, cos] = turn
  return (x, y) => {
    const [wave] = sinCos(2 * Math.PI * (frequency * (x * cos + y * sin) + phase))
    return shaped(wave, frequency, isSquare)
  }
}

function anyTurn(random: Random): readonly [sin: number, cos: number] {
  const kind = random.uniform()
  if (kind < 0.2) return [0, 1]
  if (kind < 0.4) return [1, 0]
  return sinCos(Math.PI * random.uniform())
}

function anyGrating(random: Random): Grating {
  const isSquare = random.uniform() < 0.4
  return {
    // The exponent favors coarse stripes a little.
    frequency: isSquare ? 1 / between(random, 4, 24) : 0.03 + (highest - 0.03) * random.uniform() ** 1.3,
    turn: anyTurn(random),
    phase: random.uniform(),
    isSquare,
  }
}

/** Draws stripes that bend as on folded cloth; they start coarse, as bending raises their frequency. */
function foldedGrating({ width, height }: Size, random: Random): Pattern {
  const { turn, phase, isSquare } = anyGrating(random)
  const frequency = 1 / between(random, 4, 14)
  const cell = Math.max(width, height) * between(random, 0.25, 0.6)
  const { values } = noiseField(width, height, cell, 1, random.fork(0))
  const [sin, cos] = turn
  const bend = cell * between(random, 0.05, 0.25)
  return (x, y) => {
    const at = x * cos + y * sin + bend * values[y * width + x]!
    return shaped(sinCos(2 * Math.PI * (frequency * at + phase))[0], frequency, isSquare)
  }
}

/** Draws rings that become finer outwards, at most `highest` in the farthest corner. */
function zonePlate({ width, height }: Size, random: Random): Pattern {
  const x0 = width * random.uniform()
  const y0 = height * random.uniform()
  const reach = Math.sqrt(Math.max(x0, width - x0) ** 2 + Math.max(y0, height - y0) ** 2)
  const rate = between(random, 0.15, highest) / reach
  const phase = random.uniform()
  return (x, y) => {
    const square = (x - x0) * (x - x0) + (y - y0) * (y - y0)
    return 0.5 + 0.5 * sinCos(2 * Math.PI * (0.5 * rate * square + phase))[0]
  }
}

/** Draws two perpendicular gratings, combined to a checkerboard or to checked cloth. */
function crossedGratings(random: Random): Pattern {
  const first = anyGrating(random)
  const [sin, cos] = first.turn
  const other = { ...first, turn: [cos, -sin] as const, phase: random.uniform() }
  const isBoard = random.uniform() < 0.6
  const [a, b] = [grating(first), grating(other)]
  return (x, y) => {
    const [u, v] = [a(x, y), b(x, y)]
    return isBoard ? u + v - 2 * u * v : 0.5 * (u + v)
  }
}

/** Draws spokes that fade out where they would alias. */
function spokes({ width, height }: Size, random: Random): Pattern {
  const x0 = width * between(random, 0.2, 0.8)
  const y0 = height * between(random, 0.2, 0.8)
  const count = 6 + random.integer(30)
  const finest = count / (2 * Math.PI * highest)
  // A power of the direction as a complex number turns `count` times as fast, without an arctangent.
  return (x, y) => {
    const radius = Math.sqrt((x - x0) * (x - x0) + (y - y0) * (y - y0)) + 1e-9
    const wave = imaginaryPower((x - x0) / radius, (y - y0) / radius, count)
    const frequency = count / (2 * Math.PI * radius)
    const shown = smoothstep(finest, 1.5 * finest, radius)
    return 0.5 + shown * (shaped(wave, frequency, true) - 0.5)
  }
}

/** Imaginary part of (cos + i sin)^exponent for a whole exponent. */
function imaginaryPower(cos: number, sin: number, exponent: number): number {
  let [re, im] = [1, 0]
  let [baseRe, baseIm] = [cos, sin]
  for (let rest = exponent; rest > 0; rest >>= 1) {
    if (rest & 1) [re, im] = [re * baseRe - im * baseIm, re * baseIm + im * baseRe]
    ;[baseRe, baseIm] = [baseRe * baseRe - baseIm * baseIm, 2 * baseRe * baseIm]
  }
  return im
}

/** Draws dots on a rotated grid whose sizes follow a smooth tone. */
function halftone({ width, height }: Size, random: Random): Pattern {
  const spacing = between(random, 4, 11)
  const [sin, cos] = sinCos(Math.PI * random.uniform())
  const tone = noiseField(
    width,
    height,
    Math.max(width, height) * between(random, 0.2, 0.8),
    1,
    random.fork(0),
  ).values
  const mean = between(random, 0.25, 0.6)
  return (x, y) => {
    const u = (x * cos + y * sin) / spacing
    const v = (y * cos - x * sin) / spacing
    const du = u - Math.floor(u) - 0.5
    const dv = v - Math.floor(v) - 0.5
    const share = Math.min(Math.max(mean + 0.2 * tone[y * width + x]!, 0), 0.95)
    // The area of this disk is `share` of its cell, as long as disks do not meet.
    const radius = Math.sqrt(share / Math.PI) * spacing
    const distance = Math.sqrt(du * du + dv * dv) * spacing
    return Math.min(Math.max(radius - distance + 0.5, 0), 1)
  }
}

function anyPattern(size: Size, random: Random): Pattern {
  const kind = random.uniform()
  if (kind < 0.25) return grating(anyGrating(random))
  if (kind < 0.45) return foldedGrating(size, random)
  if (kind < 0.6) return zonePlate(size, random)
  if (kind < 0.75) return crossedGratings(random)
  return kind < 0.85 ? spokes(size, random) : halftone(size, random)
}

/** Renders a pattern as an image between two colors. */
export function printed(
  { width, height }: Size,
  pattern: Pattern,
  [dark, light]: readonly [Color, Color],
): Image {
  const pixels = width * height
  const data = new Float32Array(3 * pixels)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = pattern(x, y)
      for (let c = 0; c < 3; c++) data[c * pixels + y * width + x] = dark[c]! + value * (light[c]! - dark[c]!)
    }
  }
  return { width, height, channels: 3, data }
}

/** Draws a pattern that ends at a sharp or soft edge, with another pattern or a flat area beyond. */
function half(size: Size, random: Random): Pattern {
  const [first, second] = [anyPattern(size, random.fork(1)), anyPattern(size, random.fork(2))]
  const isEmpty = random.uniform() < 0.5
  const [sin, cos] = sinCos(2 * Math.PI * random.uniform())
  const edge = random.uniform() < 0.6 ? 1 : between(random, 4, 40)
  const level = random.uniform()
  return (x, y) => {
    const side = (x - size.width / 2) * cos + (y - size.height / 2) * sin
    const share = Math.min(Math.max(side / edge + 0.5, 0), 1)
    const beyond = isEmpty ? level : second(x, y)
    return share === 0 ? first(x, y) : first(x, y) + share * (beyond - first(x, y))
  }
}

function draw(size: Size, random: Random): Image {
  const pattern = random.uniform() < 0.4 ? half(size, random.fork(1)) : anyPattern(size, random.fork(1))
  const dark = anyColor(random)
  const isFaint = random.uniform() < 0.3
  const other = contrasting(dark, isFaint ? 0.1 : 0.3, random)
  const share = isFaint ? between(random, 0.15, 0.6) : 1
  const mixed = (c: number) => dark[c]! + share * (other[c]! - dark[c]!)
  return in8Bits(printed(size, pattern, [dark, [mixed(0), mixed(1), mixed(2)]]))
}

export const gratings: Picture = {
  summary: 'stripes, rings, checks, spokes and halftone dots, all below the Nyquist frequency',
  draw,
}
