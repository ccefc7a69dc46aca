// Drops on the lens or a window in front of it. Each acts as a small lens that shows a wide view of the
// scene, inverted and out of focus, with a dark rim and a glint. All drops form one bulge map, so overlapping
// ones merge.

import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { airlight, between, blurField, emptyField, type Field, smoothstep } from './numerics/fields.ts'

interface Drops {
  /** Share of each pixel that drops cover, 0..1. */
  readonly cover: Field
  /** Bulge, from 0 at the rim to 1 in the middle of a drop. */
  readonly bulge: Field
  /** Center and radius of the drop at each pixel, in px. */
  readonly x: Float32Array
  readonly y: Float32Array
  readonly radius: Float32Array
}

function emptyDrops(width: number, height: number): Drops {
  const plane = () => new Float32Array(width * height)
  return {
    cover: emptyField(width, height),
    bulge: emptyField(width, height),
    x: plane(),
    y: plane(),
    radius: plane(),
  }
}

/** Adds a drop, a slightly sagging union of circles around (x, y). */
function placeDrop(drops: Drops, x: number, y: number, radius: number, random: Random): void {
  const circles = [{ x, y, radius: 0.8 * radius }]
  for (let i = 0; i < 4; i++) {
    const dx = random.normal()
    const dy = random.normal()
    circles.push({
      x: x + 0.2 * radius * dx,
      y: y + 0.28 * radius * dy,
      radius: radius * between(random, 0.45, 0.7),
    })
  }
  const { width, height } = drops.cover
  const reach = 1.6 * radius
  for (let row = Math.max(Math.ceil(y - reach), 0); row <= Math.min(y + reach, height - 1); row++) {
    for (let column = Math.max(Math.ceil(x - reach), 0); column <= Math.min(x + reach, width - 1); column++) {
      // Summing squares gives a smooth union.
      let sum = 0
      for (const circle of circles) {
        const u = (column - circle.x) / circle.radius
        const v = (row - circle.y) / circle.radius
        const inside = Math.max(1 - 0.5 * (u * u + v * v), 0)
        sum += inside * inside
      }
      const bulge = Math.min((sum - 0.45) / 1.4, 1)
      const at = row * width + column
      if (bulge <= drops.bulge.values[at]!) continue
      drops.bulge.values[at] = bulge
      drops.cover.values[at] = smoothstep(0, 0.1, bulge)
      drops.x[at] = x
      drops.y[at] = y
      drops.radius[at] = radius
    }
  }
}

interface DropShape {
  readonly amount: number
  readonly size: number
}

/** Scatters drops, many small and few large. */
function scatterDrops(width: number, height: number, { amount, size }: DropShape, random: Random): Drops {
  const drops = emptyDrops(width, height)
  const count = Math.floor((amount * width * height) / 10_000 + random.uniform())
  for (let i = 0; i < count; i++) {
    const share = random.uniform()
    const radius = Math.max((size / 2) * (0.3 + 1.4 * share * share * share), 1.5)
    placeDrop(drops, width * random.uniform(), height * random.uniform(), radius, random)
  }
  return drops
}

/** Samples a plane bilinearly; mirrors at the sides and repeats the top and bottom edges (sky and ground). */
function sample(values: Float32Array, width: number, height: number, x: number, y: number): number {
  const phase = Math.abs(x) % (2 * width)
  const u = Math.min(phase < width ? phase : 2 * width - phase, width - 1)
  const v = Math.min(Math.max(y, 0), height - 1)
  const left = Math.floor(u)
  const top = Math.floor(v)
  const right = Math.min(left + 1, width - 1)
  const bottom = Math.min(top + 1, height - 1)
  const fx = u - left
  const fy = v - top
  const upper = values[top * width + left]! * (1 - fx) + values[top * width + right]! * fx
  const lower = values[bottom * width + left]! * (1 - fx) + values[bottom * width + right]! * fx
  return upper * (1 - fy) + lower * fy
}

/** Renders the view through the drops [c h w]; 0 where there are none. */
function renderThroughDrops(image: Image, drops: Drops, view: number, random: Random): Float32Array {
  const { width, height, channels, data } = image
  const pixels = width * height
  const light = airlight(image, 0.5)
  const lampX = between(random, -0.5, 0.5)
  const lampY = between(random, -0.6, -0.35)
  const out = new Float32Array(data.length)
  for (let c = 0; c < channels; c++) {
    // A drop shows a minified view; blurring first prevents aliasing.
    const plane = blurField(
      { width, height, values: data.subarray(c * pixels, (c + 1) * pixels) },
      view / 2,
    ).values
    const lamp = light[c]!
    for (let i = 0; i < pixels; i++) {
      if (drops.bulge.values[i]! <= 0) continue
      const dx = (i % width) - drops.x[i]!
      const dy = Math.floor(i / width) - drops.y[i]!
      const value = sample(plane, width, height, drops.x[i]! - view * dx, drops.y[i]! - view * dy)
      const bulge = drops.bulge.values[i]!
      const rim = 0.5 + 0.5 * smoothstep(0, 0.45, bulge)
      const u = dx / drops.radius[i]! - lampX
      const v = dy / drops.radius[i]! - lampY
      const glint = 0.4 * smoothstep(0.05, 0.002, u * u + v * v)
      const lit = value * rim * 0.95 + 0.06 * lamp
      out[c * pixels + i] = lit + glint * (lamp - lit)
    }
  }
  return out
}

const raindropsParameters = {
  amount: {
    type: 'number',
    summary: 'number of drops',
    unit: 'per 100 x 100 px',
    minimum: 0,
    maximum: 100,
    default: [2, 12],
  },
  size: {
    type: 'number',
    summary: 'diameter of a large drop; most are smaller',
    unit: 'px',
    minimum: 2,
    maximum: 500,
    default: [14, 40],
  },
  view: {
    type: 'number',
    summary: 'width of the view in a drop, in drop widths',
    unit: '',
    minimum: 1,
    maximum: 20,
    default: [5, 16],
  },
  defocus: {
    type: 'number',
    summary: 'standard deviation of the drops’ defocus blur',
    unit: 'px',
    minimum: 0,
    maximum: 100,
    default: [0.8, 2.5],
  },
} as const satisfies Parameters

/** Drops on the lens or a window: inverted, blurred views with dark rims and glints. */
export const raindrops = defineDegradation({
  name: 'raindrops',
  summary: 'drops on the lens or a window: inverted, blurred views with dark rims and glints',
  source:
    'I = (1 - M) B + R (Qian et al., arXiv:1711.10098); drops after Halimeh and Roser, IV 2009, simplified',
  parameters: raindropsParameters,
  apply(image, drawn, random) {
    const { width, height, channels, data } = image
    const pixels = width * height
    const drops = scatterDrops(width, height, drawn, random.fork(0))
    const through = renderThroughDrops(image, drops, drawn.view, random.fork(1))
    const cover = blurField(drops.cover, drawn.defocus).values
    const out = new Float32Array(data.length)
    for (let c = 0; c < channels; c++) {
      // Premultiplied by the cover, so pixels beside a drop do not bleed into it.
      const plane = through.subarray(c * pixels, (c + 1) * pixels)
      const premultiplied = plane.map((value, i) => value * drops.cover.values[i]!)
      const blurred = blurField({ width, height, values: premultiplied }, drawn.defocus).values
      for (let i = 0; i < pixels; i++) {
        out[c * pixels + i] = data[c * pixels + i]! * (1 - cover[i]!) + blurred[i]!
      }
    }
    return { ...image, data: out }
  },
})
