// Falling rain and snow, drawn as motion-blurred strokes in layers at different distances.
// After Garg and Nayar, "Photorealistic rendering of rain streaks" (2006): a drop refracts light from a wide
// part of the scene, so a streak blends the background towards that light. Streaks are synthetic, not taken
// from photographs.

import { sinCos } from '../core/exactMath.ts'
import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import {
  airlight,
  between,
  blendTowards,
  drawStroke,
  emptyField,
  type Field,
  noiseField,
} from './numerics/fields.ts'

/**
 * A layer at one distance from the camera; `size` is relative to the middle distance, `share` to all
 * particles.
 */
interface Layer {
  readonly share: number
  readonly size: number
  readonly opacity: number
}

const rainLayers: readonly Layer[] = [
  { share: 0.72, size: 0.55, opacity: 0.5 },
  { share: 0.24, size: 1, opacity: 1 },
  { share: 0.04, size: 2.6, opacity: 0.55 },
]

const snowLayers: readonly Layer[] = [
  { share: 0.55, size: 0.3, opacity: 0.7 },
  { share: 0.3, size: 0.55, opacity: 0.85 },
  { share: 0.13, size: 1, opacity: 1 },
  { share: 0.02, size: 2.6, opacity: 0.6 },
]

const degree = Math.PI / 180

/** Rounds an expected count up or down at random, preserving its mean. */
function randomRound(expected: number, random: Random): number {
  return Math.floor(expected + random.uniform())
}

/** Draws a position on the image or within `margin` px around it. */
function randomPosition(field: Field, margin: number, random: Random) {
  return {
    x: between(random, -margin, field.width + margin),
    y: between(random, -margin, field.height + margin),
  }
}

/** Opacity of mist: thicker towards the top, where the view is farther, with random drifts. */
function mist(width: number, height: number, strength: number, random: Random): Field {
  const field = emptyField(width, height)
  const drifts = noiseField(width, height, Math.max(width, height) / 3, 3, random).values
  for (let y = 0; y < height; y++) {
    const slope = 1.2 - (0.4 * y) / height
    for (let x = 0; x < width; x++) {
      const value = strength * slope * (1 + 0.12 * drifts[y * width + x]!)
      field.values[y * width + x] = Math.min(Math.max(value, 0), 1)
    }
  }
  return field
}

/** Overlays mist of a strength and color. */
function addMist(image: Image, strength: number, color: readonly number[], random: Random): Image {
  return blendTowards(image, mist(image.width, image.height, strength, random), color)
}

interface RainShape {
  readonly amount: number
  readonly length: number
  readonly width: number
  readonly angle: number
  readonly opacity: number
}

/** Opacity of rain streaks. */
function rainStreaks(width: number, height: number, shape: RainShape, random: Random): Field {
  const field = emptyField(width, height)
  // Gusts vary the density across the image.
  const gusts = noiseField(width, height, Math.max(width, height) / 2.5, 2, random).values
  for (const layer of rainLayers) {
    const margin = shape.length * layer.size
    const area = (width + 2 * margin) * (height + 2 * margin)
    const count = randomRound((shape.amount * layer.share * area) / 10_000, random)
    for (let i = 0; i < count; i++) {
      const { x, y } = randomPosition(field, margin, random)
      const [sin, cos] = sinCos((shape.angle + 1.6 * random.normal()) * degree)
      const length = shape.length * layer.size * between(random, 0.6, 1.4)
      const radius = Math.max(shape.width * layer.size * between(random, 0.8, 1.4), 0.8)
      const brightness = between(random, 0.25, 1)
      const nearestPixel =
        Math.min(Math.max(Math.round(y), 0), height - 1) * width +
        Math.min(Math.max(Math.round(x), 0), width - 1)
      const gust = Math.min(Math.max(1 + 0.25 * gusts[nearestPixel]!, 0.3), 1.6)
      const opacity = Math.min(shape.opacity * layer.opacity * brightness * gust, 1)
      drawStroke(field, { x, y, dx: sin, dy: cos, length, radius, opacity, taper: 0.85, core: 0 })
    }
  }
  return field
}

const rainParameters = {
  amount: {
    type: 'number',
    summary: 'number of streaks',
    unit: 'per 100 x 100 px',
    minimum: 0,
    maximum: 500,
    default: [20, 90],
  },
  length: {
    type: 'number',
    summary: 'streak length at middle distance',
    unit: 'px',
    minimum: 1,
    maximum: 500,
    default: [18, 50],
  },
  width: {
    type: 'number',
    summary: 'streak half-width at middle distance',
    unit: 'px',
    minimum: 0.5,
    maximum: 50,
    default: [1, 1.8],
  },
  angle: {
    type: 'number',
    summary: 'slant; positive leans right',
    unit: 'degrees',
    minimum: -80,
    maximum: 80,
    default: [-25, 25],
  },
  opacity: {
    type: 'number',
    summary: 'opacity of the brightest streaks',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.35, 0.7],
  },
  veil: {
    type: 'number',
    summary: 'mist from rain too distant to resolve',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0, 0.35],
  },
  blend: {
    type: 'choice',
    summary: 'blend streaks towards the scene’s light, or add them (as in Rain100 and IPT)',
    choices: ['light', 'additive'],
    default: 'light',
  },
} as const satisfies Parameters

/** Rain streaks at several distances, with mist. */
export const rain = defineDegradation({
  name: 'rain',
  summary: 'rain streaks at several distances, with mist',
  source: 'Garg and Nayar 2006; additive as y = clip(x + streaks) of IPT, arXiv:2012.00364',
  parameters: rainParameters,
  apply(image, drawn, random) {
    const { width, height } = image
    const light = airlight(image, 0.55)
    const misty = addMist(
      image,
      drawn.veil,
      light.map((value) => 0.92 * value),
      random.fork(0),
    )
    const streaks = rainStreaks(width, height, drawn, random.fork(1))
    return drawn.blend === 'additive' ? addField(misty, streaks) : blendTowards(misty, streaks, light)
  },
})

function addField(image: Image, { values }: Field): Image {
  const data = image.data.map((value, i) => Math.min(value + values[i % values.length]!, 1))
  return { ...image, data }
}

interface SnowShape {
  readonly amount: number
  readonly size: number
  readonly angle: number
  readonly speed: number
  readonly opacity: number
}

/** Opacity of snowflakes: clumps of a few soft blobs, motion-blurred along a fluttering fall. */
function snowFlakes(width: number, height: number, shape: SnowShape, random: Random): Field {
  const field = emptyField(width, height)
  for (const layer of snowLayers) {
    const margin = shape.size * layer.size * 2
    const area = (width + 2 * margin) * (height + 2 * margin)
    const count = randomRound((shape.amount * layer.share * area) / 10_000, random)
    for (let i = 0; i < count; i++) {
      const { x, y } = randomPosition(field, margin, random)
      const [dx, dy] = sinCos((shape.angle + 14 * random.normal()) * degree)
      const radius = Math.max((shape.size / 2) * layer.size * between(random, 0.5, 1.3), 0.7)
      const length = radius * 2 * shape.speed * between(random, 0.5, 1.5)
      const opacity = Math.min(shape.opacity * layer.opacity * between(random, 0.45, 1.1), 1)
      const blobs = radius < 1.5 ? 1 : 3
      // Near flakes are out of focus, so they have a flat center.
      const core = layer.size > 2 ? 0.35 : 0.15
      for (let blob = 0; blob < blobs; blob++) {
        drawStroke(field, {
          x: x + (blob === 0 ? 0 : 0.45 * radius * random.normal()),
          y: y + (blob === 0 ? 0 : 0.45 * radius * random.normal()),
          dx,
          dy,
          length,
          core,
          taper: 0.3,
          radius: blob === 0 ? radius : radius * between(random, 0.5, 0.8),
          opacity: blob === 0 ? opacity : 0.5 * opacity,
        })
      }
    }
  }
  return field
}

const snowParameters = {
  amount: {
    type: 'number',
    summary: 'number of flakes',
    unit: 'per 100 x 100 px',
    minimum: 0,
    maximum: 500,
    default: [25, 120],
  },
  size: {
    type: 'number',
    summary: 'flake diameter at middle distance',
    unit: 'px',
    minimum: 0.5,
    maximum: 100,
    default: [3, 7],
  },
  angle: {
    type: 'number',
    summary: 'slant of the fall; positive leans right',
    unit: 'degrees',
    minimum: -80,
    maximum: 80,
    default: [-35, 35],
  },
  speed: {
    type: 'number',
    summary: 'distance a flake falls during the exposure',
    unit: 'diameters',
    minimum: 0,
    maximum: 20,
    default: [0.2, 1.5],
  },
  opacity: {
    type: 'number',
    summary: 'opacity of the densest flakes',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.65, 0.95],
  },
  veil: {
    type: 'number',
    summary: 'whiteness from snow too distant to resolve',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.02, 0.25],
  },
} as const satisfies Parameters

/** Snowflakes at several distances, motion-blurred, with a slight veil. */
export const snow = defineDegradation({
  name: 'snow',
  summary: 'snowflakes at several distances, motion-blurred, with a slight veil',
  source: 'layers of small, medium and large flakes as Snow100K (Liu et al., arXiv:1708.04512)',
  parameters: snowParameters,
  apply(image, drawn, random) {
    const { width, height } = image
    const light = airlight(image, 0.8)
    const misty = addMist(
      image,
      drawn.veil,
      light.map((value) => 0.93 * value),
      random.fork(0),
    )
    return blendTowards(misty, snowFlakes(width, height, drawn, random.fork(1)), light)
  },
})
