// Samples for the tone network: a whole photo at the size of its view, damaged, with the maps that undo the
// damage.

import { float32Data, type TensorData } from '../../../core/data.ts'
import type { Random } from '../../../core/random.ts'
import { crop, type Image, in8Bits, pixelsToPlanes } from '../../../data/image.ts'
import { type Color, toneFeatures, viewPx } from '../../../data/tone/features.ts'
import { type Plane, planeLike } from '../../../data/tone/planes.ts'
import { skyOf } from '../../../data/tone/sky.ts'
import { fromLight, toLight } from '../../../data/tone/srgb.ts'
import { viewOf } from '../../../data/tone/view.ts'
import { compressJpeg } from '../../../degrade/jpeg.ts'
import { airlight, between } from '../../../degrade/numerics/fields.ts'
import type { Draw } from '../../samples/samples.ts'
import { drawDepth } from './depth.ts'
import {
  backlight,
  darken,
  dim,
  drawCast,
  type Exposed,
  expose,
  night,
  steepen,
  sunset,
  wellExposed,
} from './exposure.ts'

/** Side of the maps over that of the view. */
const mapShare = 1 / 4

/** One photo for the tone network. */
export type ToneSample = {
  /** Damaged [3 256 256]. */
  readonly view: Image
  readonly priors: Image
  /** Light of the air by the prior [3]. */
  readonly priorLight: TensorData
  /** True transmission and gain [2 64 64]. */
  readonly maps: Image
  /** True light of the air and log white balance [6]. */
  readonly colors: TensorData
  /** Whether there is haze, a wrong exposure, a color cast: 0 or 1 [3]. */
  readonly faults: TensorData
  /** The photo before, and damaged, averaged to the size of the maps [3 64 64]. */
  readonly target: Image
  readonly small: Image
}

/** Damage and what undoes it. */
interface Damaged {
  readonly target: Image
  readonly exposed: Exposed
  /** Undamaged air is undefined. */
  readonly air?: { readonly transmission: Plane; readonly light: Color }
}

/**
 * Makes a sample from a photo: a third haze, a third wrong exposure or fading, some color casts, a fifth
 * nothing wrong.
 */
export function toneSample({ views, random }: Draw): ToneSample {
  const { target: pixels } = views
  if (!pixels) throw new TypeError('toneSample: expected a view target')
  const whole = pixelsToPlanes(pixels).image
  return toneSampleOf(viewOf(drawFrame(whole, random.fork(1)), viewPx), random.fork(2))
}

/** Nearly all of a photo, in half of the cases mirrored; never upside down, for the sky is above. */
function drawFrame(photo: Image, random: Random): Image {
  const height = Math.round(photo.height * between(random, 0.6, 1))
  const width = Math.round(photo.width * between(random, 0.6, 1))
  const top = random.integer(photo.height - height + 1)
  const part = crop(photo, top, random.integer(photo.width - width + 1), height, width)
  if (random.uniform() < 0.5)
    for (let at = 0; at < part.data.length; at += width) part.data.subarray(at, at + width).reverse()
  return part
}

/** The sample of a view [3 256 256]. */
export function toneSampleOf(photo: Image, random: Random): ToneSample {
  const { target, exposed, air } = drawDamage(photo, random.fork(1))
  const hazy = air ? veiled(exposed.photo, air) : exposed.photo
  const view = recorded(hazy, random.fork(2))
  const { priors, airlight: prior } = toneFeatures(view)
  const side = viewPx * mapShare
  const maps = new Float32Array(2 * side * side)
  if (air) maps.set(shrunk(air.transmission))
  else maps.fill(1, 0, side * side)
  maps.set(shrunk(exposed.gain), side * side)
  const isWrong = exposed.gain.values.some((gain) => Math.abs(gain) > 0.1)
  const isCast = Math.hypot(...exposed.balance) > 0.03
  return {
    view,
    priors,
    priorLight: float32Data(Float32Array.from(prior), [3]),
    maps: { width: side, height: side, channels: 2, data: maps },
    colors: float32Data(Float32Array.from([...(air?.light ?? prior), ...exposed.balance]), [6]),
    faults: float32Data(Float32Array.from([air ? 1 : 0, isWrong ? 1 : 0, isCast ? 1 : 0]), [3]),
    target: viewOf(target, side),
    small: viewOf(view, side),
  }
}

/** Means of squares of a map at the size of the view, as the network gives it. */
function shrunk({ width, values }: Plane): Float32Array {
  const side = width * mapShare
  const out = new Float32Array(side * side)
  const step = 1 / mapShare
  for (let i = 0; i < values.length; i++) {
    const to = Math.floor(Math.floor(i / width) / step) * side + Math.floor((i % width) / step)
    out[to] = out[to]! + values[i]! / step ** 2
  }
  return out
}

function drawDamage(photo: Image, random: Random): Damaged {
  const kind = random.uniform()
  if (kind < 0.35) {
    const exposed = random.uniform() < 0.5 ? dim(photo, random.fork(1)) : wellExposed(photo)
    return { target: photo, exposed, air: drawHaze(exposed.photo, random.fork(2)) }
  }
  if (kind < 0.55) return { target: photo, exposed: darken(photo, random.fork(1)) }
  if (kind < 0.6) return { target: photo, exposed: steepen(photo, random.fork(1)) }
  if (kind < 0.66) return { target: photo, exposed: backlight(photo, random.fork(1)) }
  if (kind < 0.7)
    return { target: photo, exposed: wellExposed(photo), air: drawFading(photo, random.fork(1)) }
  if (kind < 0.8) {
    const even = planeLike(photo, () => 0)
    const cast = expose(photo, even, { balance: drawCast(0.25, random.fork(1)), isPlain: true })
    return { target: photo, exposed: cast }
  }
  const meant = random.uniform()
  const clean =
    meant < 0.2 ? night(photo, random.fork(1)) : meant < 0.32 ? sunset(photo, random.fork(1)) : photo
  return { target: clean, exposed: wellExposed(clean) }
}

/** Haze that thickens with depth; before most skies it stays thin enough for the sky to be found again. */
function drawHaze(photo: Image, random: Random): Required<Damaged>['air'] {
  const depth = drawDepth(photo, random.fork(1)).values
  const sky = skyOf(photo, 0.03).values
  const density = between(random, 0.3, 2.3)
  const nearest = random.uniform() < 0.4 ? between(random, 0, 0.3) : 0
  const isSkyKept = random.uniform() < 0.7
  const clearest = between(random, 0.4, 0.8)
  const transmission = planeLike(photo, (i) => {
    const t = Math.exp(-density * (nearest + (1 - nearest) * depth[i]!))
    return isSkyKept ? t + sky[i]! * Math.max(clearest - t, 0) : t
  })
  const brightness = between(random, 0.5, 1)
  const tint = random.uniform() < 0.35 ? airlight(photo, 0.5) : [1, 1, 1]
  const mean = tint.reduce((sum, value) => sum + value / 3, 0)
  const channel = (c: number) =>
    Math.min(Math.max((brightness * tint[c]!) / mean + between(random, -0.05, 0.05), 0.2), 1)
  return { transmission, light: [channel(0), channel(1), channel(2)] }
}

/** A faded print or a flat exposure: an even veil of any brightness. */
function drawFading(photo: Image, random: Random): Required<Damaged>['air'] {
  const t = between(random, 0.4, 0.85)
  const brightness = between(random, 0.3, 0.9)
  const warm = 0.08 * random.normal()
  const limit = (value: number) => Math.min(Math.max(value, 0.2), 1)
  return {
    transmission: planeLike(photo, () => t),
    light: [limit(brightness + warm), limit(brightness), limit(brightness - warm)],
  }
}

/** I = J t + A (1 - t). */
function veiled(photo: Image, air: Required<Damaged>['air']): Image {
  const pixels = photo.width * photo.height
  const t = air.transmission.values
  const data = new Float32Array(photo.data.length)
  for (const [c, light] of air.light.entries()) {
    const at = c * pixels
    for (let i = 0; i < pixels; i++) data[at + i] = photo.data[at + i]! * t[i]! + light * (1 - t[i]!)
  }
  return { ...photo, data }
}

/**
 * The photo as a camera records it: noise of photons and electronics, JPEG, 8 bits, each in part of the
 * photos.
 */
function recorded(photo: Image, random: Random): Image {
  const noisy = random.uniform() < 0.5 ? withNoise(photo, random.fork(1)) : photo
  const subsampling = random.uniform() < 0.7 ? '4:2:0' : '4:4:4'
  if (random.uniform() < 0.45) return compressJpeg(noisy, Math.round(between(random, 40, 96)), subsampling)
  return in8Bits(noisy)
}

function withNoise(photo: Image, random: Random): Image {
  const shot = 10 ** between(random, -5, -3)
  const read = 10 ** between(random, -4, -2.6)
  const normals = new Float32Array(photo.data.length)
  random.fillNormal(normals)
  const data = new Float32Array(photo.data.length)
  for (let i = 0; i < data.length; i++) {
    const light = toLight(photo.data[i]!)
    data[i] = fromLight(light + normals[i]! * Math.sqrt(shot * light + read * read))
  }
  return { ...photo, data }
}
