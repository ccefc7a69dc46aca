// Maps of tone, and a photo with them undone: haze by Koschmieder's law I = J t + A (1 - t), then color
// cast and darkness in linear light. Maps are small; a guided filter carries them to the photo's edges.
// Every pixel depends on its place and color alone, so tiles show no seam.

import { ditherAt } from '../dither.ts'
import type { Image } from '../image.ts'
import { type Color, luma } from './features.ts'
import { type GuidedMap, guidedMap } from './guidedFilter.ts'
import { blendedRow, enlarged, type Plane, planeLike, positionsIn, sampled } from './planes.ts'
import { skyOf } from './sky.ts'
import { fromLight, toLight } from './srgb.ts'

/** What is wrong with the tone of a photo. */
export interface ToneMaps {
  /** Share of the scene's light that reaches the camera through the haze, 0..1; 1 is clear air. */
  readonly transmission: Plane
  /** Light of the haze, sRGB. */
  readonly airlight: Color
  /** Natural log of the gain that the linear light lacks; 0 is well exposed. */
  readonly gain: Plane
  /** Natural logs of the factors that linear red, green and blue lack; zeros are neutral. */
  readonly balance: Color
}

/** Maps of a gray photo: light of the air without a hue, and no color cast. */
export function neutralMaps(maps: ToneMaps): ToneMaps {
  const gray = maps.airlight.reduce((sum, value) => sum + value / 3, 0)
  return { ...maps, airlight: [gray, gray, gray], balance: [0, 0, 0] }
}

/** Which faults are mended. */
export interface ToneParts {
  /** Transmission and light of the air. */
  readonly haze: boolean
  readonly gain: boolean
  readonly cast: boolean
}

export interface ToneOptions {
  readonly parts: ToneParts
  /** 0 leaves the photo as it is, 1 applies the maps in full. */
  readonly strength: number
  /** Least transmission that is undone: less would bring out noise and JPEG blocks. */
  readonly floor: number
  /** Distance of the photo's levels, which is dithered where haze is undone: 1/255 for 8 bits. @default 0 */
  readonly levelStep?: number
}

/** Maps made ready for a photo of any size. */
export interface TonePlan {
  /** Haze as 1 - transmission. */
  readonly veil: GuidedMap | undefined
  readonly mostVeil: number
  readonly airlight: Color
  readonly levelStep: number
  readonly gain: GuidedMap | undefined
  /** Factors of linear red, green and blue. */
  readonly factors: Color
}

/** Gains beyond these are not believed. */
const leastGain = -1
const mostGain = 3.5

/** Least transmission that is undone in the sky, whose own is unknown: more would darken it. */
const leastInSky = 0.5

/** Mean step between neighbors in a hazy sky; the outlines of far things before it are larger. */
const evenSteps = 0.012

/** Prepares maps for a photo by its view [3 h w], which maps of other sizes are enlarged to. */
export function planTone(view: Image, maps: ToneMaps, options: ToneOptions): TonePlan {
  const { parts, strength, floor, levelStep = 0 } = options
  const guide = luma(view)
  const prepared = (map: Plane, value: (value: number, i: number) => number, softness: number) => {
    const { values } = enlarged(map, { width: view.width, height: view.height })
    const wanted = planeLike(guide, (i) => value(values[i]!, i))
    if (wanted.values.every((one) => one === 0)) return undefined
    return guidedMap(guide, wanted, { radius: Math.round(view.width / 21), softness })
  }
  const sky = parts.haze ? skyOf(view, evenSteps).values : undefined
  const veilOf = (t: number, i: number) =>
    1 - Math.min(Math.max(t, leastInSky * (sky?.[i] ?? 0)), 1) ** strength
  const gainOf = (gain: number) => strength * Math.min(Math.max(gain, leastGain), mostGain)
  const [red, green, blue] = maps.balance
  const factor = (log: number) => (parts.cast ? Math.exp(strength * log) : 1)
  return {
    veil: parts.haze ? prepared(maps.transmission, veilOf, 1e-3) : undefined,
    mostVeil: 1 - floor ** strength,
    airlight: maps.airlight,
    levelStep,
    gain: parts.gain ? prepared(maps.gain, gainOf, 4e-3) : undefined,
    factors: [factor(red), factor(green), factor(blue)],
  }
}

/** Where a tile lies in its photo. */
export interface TilePlace {
  readonly top: number
  readonly left: number
  /** Size of the photo. */
  readonly height: number
  readonly width: number
}

/** Applies a plan to a tile of the photo [3 h w]; not clamped. */
export function applyTone(plan: TonePlan, tile: Image, place: TilePlace): Image {
  const { width, height } = tile
  const pixels = width * height
  const data = tile.data.slice()
  const guide = luma(tile).values
  const reader = mapReader(place, { width, height })
  const row = { veil: new Float32Array(width), gain: new Float32Array(width) }
  for (let y = 0; y < height; y++) {
    const at = y * width
    const line = guide.subarray(at, at + width)
    if (plan.veil) {
      reader(plan.veil, y, line, row.veil)
      ditherRow(data, at, row.veil, { plan, place, y })
      for (let c = 0; c < 3; c++) clearRow(data.subarray(c * pixels + at), row.veil, plan, plan.airlight[c]!)
    }
    if (plan.gain) reader(plan.gain, y, line, row.gain)
    exposeRow(data, at, row.gain, plan.factors)
  }
  return { ...tile, data }
}

/** Reads rows of guided maps at the pixels of a tile. */
function mapReader(place: TilePlace, tile: { readonly width: number; readonly height: number }) {
  const positions = (plane: Plane) => ({
    across: positionsIn(plane.width, place.width, { start: place.left, length: tile.width }),
    down: positionsIn(plane.height, place.height, { start: place.top, length: tile.height }),
  })
  const known = new Map<Plane, ReturnType<typeof positions>>()
  return ({ slope, offset }: GuidedMap, y: number, guide: Float32Array, out: Float32Array): void => {
    const { across, down } = known.get(slope) ?? positions(slope)
    known.set(slope, { across, down })
    const slopes = blendedRow(slope, down.first[y]!, down.share[y]!)
    const offsets = blendedRow(offset, down.first[y]!, down.share[y]!)
    for (let x = 0; x < out.length; x++)
      out[x] = sampled(slopes, across, x) * guide[x]! + sampled(offsets, across, x)
  }
}

/** Spreads the levels of a row before they are stretched, in proportion to the veil. */
function ditherRow(
  data: Float32Array,
  at: number,
  veils: Float32Array,
  { plan, place, y }: { readonly plan: TonePlan; readonly place: TilePlace; readonly y: number },
): void {
  const { levelStep, mostVeil } = plan
  if (levelStep === 0) return
  const pixels = data.length / 3
  for (let x = 0; x < veils.length; x++) {
    const share = Math.min(Math.max(veils[x]!, 0), mostVeil)
    const offset = levelStep * share * ditherAt(place.left + x, place.top + y)
    for (let i = at + x; i < data.length; i += pixels) data[i] = data[i]! + offset
  }
}

/** Takes the veil from one channel of a row: J = (I - A (1 - t)) / t. What would pass white approaches it. */
function clearRow(row: Float32Array, veils: Float32Array, { mostVeil }: TonePlan, airlight: number): void {
  for (let x = 0; x < veils.length; x++) {
    const veil = Math.min(Math.max(veils[x]!, 0), mostVeil)
    if (veil === 0) continue
    const value = (row[x]! - airlight * veil) / (1 - veil)
    const knee = 1 - 0.1 * veil
    row[x] = value <= knee ? value : knee + (1 - knee) * Math.tanh((value - knee) / (1 - knee))
  }
}

/** Multiplies the linear light of a row by factors of the color and by exp(gain). */
function exposeRow(data: Float32Array, at: number, gains: Float32Array, factors: Color): void {
  const pixels = data.length / 3
  const [red, green, blue] = factors
  const isNeutral = red === 1 && green === 1 && blue === 1
  for (let x = 0; x < gains.length; x++) {
    const gain = Math.min(Math.max(gains[x]!, leastGain), mostGain)
    if (gain === 0 && isNeutral) continue
    const i = at + x
    const r = toLight(data[i]!) * red
    const g = toLight(data[pixels + i]!) * green
    const b = toLight(data[2 * pixels + i]!) * blue
    const factor = shoulder(gain, Math.max(r, g, b))
    data[i] = fromLight(r * factor)
    data[pixels + i] = fromLight(g * factor)
    data[2 * pixels + i] = fromLight(b * factor)
  }
}

/**
 * Factor of a pixel whose largest channel is `light`: exp(gain) up to the lights and 1 at white, so nothing
 * is clipped and hues stay. The curves of two gains, one after the other, are that of their sum.
 */
export function shoulder(gain: number, light: number): number {
  const fourth = Math.exp(4 * gain)
  const square = Math.min(light, 1) ** 2
  return Math.sqrt(Math.sqrt(fourth / (1 + (fourth - 1) * square * square)))
}

/** The gain whose shoulder takes linear light `from` to `to`, both below 1. */
export function gainBetween(from: number, to: number): number {
  const odds = (light: number) => light ** 4 / (1 - light ** 4)
  return 0.25 * Math.log(odds(to) / odds(from))
}
