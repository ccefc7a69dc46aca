// Damage to exposure and color with known maps, in linear light: dark photos, light from behind, steep
// contrast, color casts; and photos that are meant to be dark.

import type { Random } from '../../../core/random.ts'
import type { Image } from '../../../data/image.ts'
import { type Color, luma } from '../../../data/tone/features.ts'
import { type Plane, planeLike } from '../../../data/tone/planes.ts'
import { fromLight, toLight } from '../../../data/tone/srgb.ts'
import { gainBetween, shoulder } from '../../../data/tone/toneMaps.ts'
import { between, blurField, noiseField, smoothstep } from '../../../degrade/numerics/fields.ts'
import { alongEdges } from './depth.ts'

/** A photo in too little light, and what it lacks. */
export interface Exposed {
  readonly photo: Image
  readonly gain: Plane
  readonly balance: Color
}

const neutral: Color = [0, 0, 0]

export function wellExposed(photo: Image): Exposed {
  return { photo, gain: planeLike(photo, () => 0), balance: neutral }
}

/** Logs of the factors that a cast of about this strength lacks; their mean is 0. */
export function drawCast(strength: number, random: Random): Color {
  const warm = strength * random.normal()
  const green = 0.4 * strength * random.normal()
  const limit = (log: number) => Math.min(Math.max(log, -0.8), 0.8)
  return [limit(warm - green / 2), limit(green), limit(-warm - green / 2)]
}

/**
 * Darkens by a map of log gains that are lacking, as a sensor does or along the restoring curve, and
 * multiplies colors.
 */
export function expose(
  photo: Image,
  lacking: Plane,
  { balance, isPlain }: { readonly balance: Color; readonly isPlain: boolean },
): Exposed {
  const pixels = photo.width * photo.height
  const data = new Float32Array(photo.data.length)
  const before = brightest(photo, neutral)
  const shares = planeLike(photo, (i) => {
    const gain = -lacking.values[i]!
    return isPlain ? Math.exp(gain) : shoulder(gain, before[i]!)
  }).values
  for (const [c, log] of balance.entries()) {
    const factor = Math.exp(-log)
    const at = c * pixels
    for (let i = 0; i < pixels; i++)
      data[at + i] = fromLight(toLight(photo.data[at + i]!) * shares[i]! * factor)
  }
  const dark = { ...photo, data }
  const after = brightest(dark, balance)
  const isEven = lacking.values.every((value) => value === 0)
  // Means over small windows: the map is of the light, not of the texture.
  const mean = (values: Float32Array) => blurField({ ...lacking, values }, 2).values
  const from = mean(after)
  const to = mean(before)
  const within = (light: number) => Math.min(Math.max(light, 1e-3), 0.96)
  const gain = planeLike(photo, (i) => (isEven ? 0 : gainBetween(within(from[i]!), within(to[i]!))))
  return { photo: dark, gain, balance }
}

/** The largest channel of every pixel in linear light, with logs of factors applied. */
function brightest({ data }: Image, logs: Color): Float32Array {
  const pixels = data.length / 3
  const [r, g, b] = logs.map(Math.exp) as [number, number, number]
  const values = new Float32Array(pixels)
  for (let i = 0; i < pixels; i++) {
    const red = toLight(data[i]!) * r
    const green = toLight(data[pixels + i]!) * g
    const blue = toLight(data[2 * pixels + i]!) * b
    values[i] = Math.min(Math.max(red, green, blue), 1)
  }
  return values
}

/** Too short an exposure, even or shaded, with a cast in half of the photos. */
export function darken(photo: Image, random: Random): Exposed {
  const stops = between(random, 0.6, 4.2)
  const isShaded = random.uniform() < 0.35
  const shade = noiseField(photo.width, photo.height, photo.width / between(random, 1.2, 3), 2, random).values
  const depth = between(random, 0.2, 0.9)
  const lacking = planeLike(photo, (i) => {
    return Math.LN2 * stops * (isShaded ? 1 - depth * smoothstep(-0.7, 0.7, shade[i]!) : 1)
  })
  const balance = random.uniform() < 0.5 ? drawCast(0.15, random) : neutral
  return expose(photo, lacking, { balance, isPlain: random.uniform() < 0.6 })
}

/** Steep contrast: the lights stay, the rest sinks. */
export function steepen(photo: Image, random: Random): Exposed {
  const power = between(random, 0.25, 1.6)
  const { values } = luma(photo)
  const lacking = planeLike(photo, (i) => -power * Math.log(Math.max(toLight(values[i]!), 0.02)))
  return expose(photo, alongEdges(photo, lacking, 8), { balance: neutral, isPlain: false })
}

/** Light from behind: what is bright over wide areas stays, all else sinks. */
export function backlight(photo: Image, random: Random): Exposed {
  const wide = blurField(luma(photo), photo.width / between(random, 10, 40)).values
  const sorted = wide.slice().sort()
  const level = sorted[Math.floor(between(random, 0.5, 0.9) * sorted.length)]!
  const edge = between(random, 0.05, 0.2)
  const stops = between(random, 1, 3.8)
  const lacking = planeLike(photo, (i) => Math.LN2 * stops * smoothstep(level + edge, level - edge, wide[i]!))
  return expose(photo, alongEdges(photo, lacking, 6), { balance: neutral, isPlain: random.uniform() < 0.5 })
}

/** Slightly too dark, as scenes in haze are once the veil is gone. */
export function dim(photo: Image, random: Random): Exposed {
  const gain = between(random, 0.1, 1)
  const balance = random.uniform() < 0.2 ? drawCast(0.1, random) : neutral
  return expose(
    photo,
    planeLike(photo, () => gain),
    { balance, isPlain: false },
  )
}

/** A night as it should be: dark, with lamps that are as bright as can be. */
export function night(photo: Image, random: Random): Image {
  const { width, height } = photo
  const pixels = width * height
  const share = 2 ** -between(random, 2, 4.5)
  const blue = between(random, 0.9, 1.5)
  const light = photo.data.map((value, i) => toLight(value) * share * (i >= 2 * pixels ? blue : 1))
  const count = 4 + random.integer(30)
  for (let lamp = 0; lamp < count; lamp++) {
    const x0 = random.uniform() * width
    const y0 = random.uniform() * height
    const core = between(random, 0.6, 3)
    const glow = core * between(random, 3, 9)
    const color = [1, between(random, 0.6, 1), between(random, 0.2, 0.9)]
    const reach = Math.ceil(3 * glow)
    for (let y = Math.max(0, Math.floor(y0 - reach)); y < Math.min(height, y0 + reach); y++) {
      for (let x = Math.max(0, Math.floor(x0 - reach)); x < Math.min(width, x0 + reach); x++) {
        const distance = Math.hypot(x - x0, y - y0)
        const value = distance < core ? 1.3 : 0.12 * Math.exp(-((distance / glow) ** 2))
        for (let c = 0; c < 3; c++) {
          const at = c * pixels + y * width + x
          light[at] = light[at]! + value * (distance < core ? 0.4 + 0.6 * color[c]! : color[c]!)
        }
      }
    }
  }
  return { ...photo, data: light.map(fromLight) }
}

/** A sunset as it should be: a bright warm sky over dark ground. */
export function sunset(photo: Image, random: Random): Image {
  const { width, height } = photo
  const pixels = width * height
  const horizon = height * between(random, 0.4, 0.75)
  const sunX = width * random.uniform()
  const sunY = horizon - height * between(random, 0, 0.15)
  const size = width * between(random, 0.015, 0.05)
  const spread = width * between(random, 0.25, 0.7)
  const ground = 2 ** -between(random, 2, 4)
  const warm = [1, between(random, 0.45, 0.75), between(random, 0.12, 0.5)]
  const data = photo.data.map((value, i) => {
    const at = i % pixels
    const c = Math.floor(i / pixels)
    const x = at % width
    const y = Math.floor(at / width)
    const distance = Math.hypot(x - sunX, y - sunY)
    const sky = smoothstep(horizon + 3, horizon - 3, y)
    const glow = 0.08 + 0.8 * Math.exp(-((distance / spread) ** 2)) + (distance < size ? 2 : 0)
    const own = toLight(value)
    const above = warm[c]! ** (distance < size ? 0.2 : 1) * glow * (0.7 + 0.5 * own)
    return fromLight(sky * above + (1 - sky) * own * ground * (0.5 + 0.5 * warm[c]!))
  })
  return { ...photo, data }
}
