// Tone on planes: the view, the features, the guided filter, and maps applied to photos whose damage is
// known.

import { describe, expect, test } from 'vitest'
import { crop, type Image } from '../image.ts'
import { luma, toneFeatures } from './features.ts'
import { GrainMeter, transmissionFloor } from './grain.ts'
import { guidedMap } from './guidedFilter.ts'
import { liftedMaps } from './lift.ts'
import { boxMean, boxMinimum, enlarged, type Plane, planeLike } from './planes.ts'
import { skyOf } from './sky.ts'
import { fromLight, toLight } from './srgb.ts'
import { applyTone, gainBetween, neutralMaps, planTone, shoulder, type ToneMaps } from './toneMaps.ts'
import { toneMapsOf } from './toneTensors.ts'
import { ViewBuilder, viewOf } from './view.ts'

/** Smooth shapes with some texture, between 0.1 and 0.8. */
function photo(width: number, height: number): Image {
  const data = Float32Array.from({ length: 3 * width * height }, (_, i) => {
    const c = Math.floor(i / (width * height))
    const y = Math.floor(i / width) % height
    const x = i % width
    return 0.45 + 0.25 * Math.sin(x / 9 + c) * Math.cos(y / 13) + 0.1 * Math.sin(1.7 * x + 2.3 * y)
  })
  return { width, height, channels: 3, data }
}

const all = { haze: true, gain: true, cast: true }
const full = { parts: all, strength: 1, floor: 0.2 }

function even(value: number, side = 64): Plane {
  return planeLike({ width: side, height: side }, () => value)
}

const identity: ToneMaps = {
  transmission: even(1),
  airlight: [0.9, 0.9, 0.9],
  gain: even(0),
  balance: [0, 0, 0],
}

const damage: ToneMaps = {
  transmission: planeLike({ width: 64, height: 64 }, (i) => 0.4 + 0.5 * ((i % 64) / 63)),
  airlight: [0.8, 0.85, 0.9],
  gain: planeLike({ width: 64, height: 64 }, (i) => 1 + Math.sin(i / 300)),
  balance: [0.1, 0, -0.1],
}

function toned(image: Image, maps: ToneMaps, options = full): Image {
  const { width, height } = image
  const plan = planTone(viewOf(image, 64), maps, options)
  return applyTone(plan, image, { top: 0, left: 0, width, height })
}

function farthest(a: Image, b: Image): number {
  return a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0)
}

describe('the view', () => {
  test('is the mean under each of its pixels', () => {
    const image = photo(12, 8)
    const view = viewOf(image, 4)
    let sum = 0
    for (let y = 2; y < 4; y++) for (let x = 3; x < 6; x++) sum += image.data[y * 12 + x]!
    expect(view.data[4 + 1]).toBeCloseTo(sum / 6, 6)
  })

  test.each([
    [37, 91],
    [7, 5],
    [300, 40],
  ])('of %i × %i pixels read in bands is that of the whole, with the same mean', (width, height) => {
    const image = photo(width, height)
    const builder = new ViewBuilder(image, 16)
    for (let top = 0; top < height; top += 9)
      builder.add(top, crop(image, top, 0, Math.min(9, height - top), width))
    const view = builder.finish()
    expect(view).toEqual(viewOf(image, 16))
    const mean = ({ data }: Image) => data.reduce((total, value) => total + value, 0) / data.length
    expect(mean(view)).toBeCloseTo(mean(image), 5)
  })
})

describe('windows', () => {
  const plane = luma(photo(23, 17))
  const within = (i: number, radius: number) => {
    const values: number[] = []
    const [x, y] = [i % 23, Math.floor(i / 23)]
    for (let v = Math.max(y - radius, 0); v <= Math.min(y + radius, 16); v++)
      for (let u = Math.max(x - radius, 0); u <= Math.min(x + radius, 22); u++)
        values.push(plane.values[v * 23 + u]!)
    return values
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

  test.each([1, 2, 4, 7])('of radius %i end at the edges', (radius) => {
    const means = boxMean(plane, radius).values
    const least = boxMinimum(plane, radius).values
    for (let i = 0; i < plane.values.length; i++) {
      expect(means[i]).toBeCloseTo(mean(within(i, radius)), 5)
      expect(least[i]).toBe(Math.min(...within(i, radius)))
    }
  })

  test('the guided filter is a fit in every window, averaged', () => {
    const map = planeLike(plane, (i) => Math.sin(i / 5) + plane.values[i]!)
    const { slope, offset } = guidedMap(plane, map, { radius: 3, softness: 0.01 })
    const fits = Array.from(plane.values.keys(), (i) => {
      const guide = within(i, 3)
      const [x, y] = [i % 23, Math.floor(i / 23)]
      const wanted: number[] = []
      for (let v = Math.max(y - 3, 0); v <= Math.min(y + 3, 16); v++)
        for (let u = Math.max(x - 3, 0); u <= Math.min(x + 3, 22); u++) wanted.push(map.values[v * 23 + u]!)
      const covariance = mean(guide.map((g, k) => (g - mean(guide)) * (wanted[k]! - mean(wanted))))
      const variance = mean(guide.map((g) => (g - mean(guide)) ** 2))
      const a = covariance / (variance + 0.01)
      return { a, b: mean(wanted) - a * mean(guide) }
    })
    const averaged = (values: readonly number[]) =>
      boxMean(
        planeLike(plane, (i) => values[i]!),
        3,
      ).values
    const slopes = averaged(fits.map(({ a }) => a))
    const offsets = averaged(fits.map(({ b }) => b))
    for (let i = 0; i < fits.length; i++) {
      expect(slope.values[i]).toBeCloseTo(slopes[i]!, 4)
      expect(offset.values[i]).toBeCloseTo(offsets[i]!, 4)
    }
  })

  test('a map enlarged to its own size is itself', () => {
    expect(enlarged(plane, plane).values).toEqual(plane.values)
  })
})

describe('features', () => {
  test('tell haze by the dark channel, and its color', () => {
    const clear = photo(64, 64)
    const t = 0.4
    const light = [0.9, 0.85, 0.8]
    const hazy = clear.data.map((value, i) => value * t + light[Math.floor(i / 4096)]! * (1 - t))
    const before = toneFeatures(clear)
    const after = toneFeatures({ ...clear, data: hazy })
    const meanOf = ({ data }: Image, c: number) =>
      data.subarray(c * 4096, (c + 1) * 4096).reduce((sum, value) => sum + value / 4096, 0)
    expect(meanOf(after.priors, 0)).toBeGreaterThan(meanOf(before.priors, 0) + 0.3)
    expect(meanOf(after.priors, 1)).toBeLessThan(meanOf(before.priors, 1) - 0.3)
    expect(toneFeatures({ ...clear, data: hazy })).toEqual(after)
  })

  test('are finite for black, white and gray', () => {
    for (const value of [0, 1, 0.5]) {
      const flat = { width: 64, height: 64, channels: 3, data: new Float32Array(3 * 4096).fill(value) }
      const { priors, airlight } = toneFeatures(flat)
      expect([...priors.data, ...airlight].every(Number.isFinite)).toBe(true)
    }
  })
})

describe('tone', () => {
  test('maps without a fault, and a strength of 0, leave every bit', () => {
    const image = photo(90, 70)
    expect(toned(image, identity).data).toEqual(image.data)
    expect(toned(image, damage, { ...full, strength: 0 }).data).toEqual(image.data)
  })

  test('true maps take even haze back exactly', () => {
    const image = photo(90, 70)
    const light = [0.8, 0.85, 0.9]
    const pixels = 90 * 70
    const data = image.data.map((value, i) => 0.35 * value + 0.65 * light[Math.floor(i / pixels)]!)
    const maps = { ...identity, transmission: even(0.35), airlight: [0.8, 0.85, 0.9] as const }
    expect(farthest(toned({ ...image, data }, maps), image)).toBeLessThan(1e-5)
  })

  test('true maps take darkness and a color cast back exactly', () => {
    const image = photo(60, 60)
    const pixels = 3600
    const balance = [0.2, -0.05, -0.15] as const
    const data = image.data.slice()
    for (let i = 0; i < pixels; i++) {
      const light = [0, 1, 2].map((c) => toLight(data[c * pixels + i]!))
      const factor = shoulder(-1.5, Math.max(...light))
      for (let c = 0; c < 3; c++)
        data[c * pixels + i] = fromLight(light[c]! * factor * Math.exp(-balance[c]!))
    }
    const maps = { ...identity, gain: even(1.5), balance }
    expect(farthest(toned({ ...image, data }, maps), image)).toBeLessThan(2e-3)
  })

  test('tiles are parts of the whole', () => {
    const image = photo(150, 110)
    const plan = planTone(viewOf(image, 64), damage, full)
    const size = { width: 150, height: 110 }
    const whole = applyTone(plan, image, { ...size, top: 0, left: 0 })
    for (const [top, left, height, width] of [
      [0, 0, 50, 70],
      [40, 61, 70, 89],
      [109, 149, 1, 1],
    ] as const) {
      const tile = applyTone(plan, crop(image, top, left, height, width), { ...size, top, left })
      expect(farthest(tile, crop(whole, top, left, height, width))).toBeLessThan(1e-6)
    }
  })

  test('grows with strength', () => {
    const image = photo(64, 64)
    const changes = [0.25, 0.5, 0.75, 1].map((strength) =>
      farthest(toned(image, damage, { ...full, strength }), image),
    )
    expect(changes).toEqual(changes.toSorted((a, b) => a - b))
    expect(changes[0]).toBeGreaterThan(0.01)
  })

  test.each([
    ['haze', { ...identity, transmission: damage.transmission }],
    ['gain', { ...identity, gain: damage.gain }],
    ['cast', { ...identity, balance: damage.balance }],
  ] as const)('%s is mended alone where it is asked for alone', (part, alone) => {
    const image = photo(64, 64)
    const parts = { haze: false, gain: false, cast: false, [part]: true }
    const maps = { ...damage, airlight: identity.airlight }
    expect(toned(image, maps, { ...full, parts })).toEqual(toned(image, alone))
  })

  test('undoes no haze beyond the floor', () => {
    const image = { width: 64, height: 64, channels: 3, data: new Float32Array(3 * 4096).fill(0.3) }
    const dense = { ...identity, transmission: even(0.01) }
    const { data } = toned(image, dense, { ...full, floor: 0.25 })
    expect(data[100]).toBeCloseTo((0.3 - 0.9 * 0.75) / 0.25, 5)
  })

  test('gain clips nothing, keeps order, and gains add up', () => {
    const bright = Array.from({ length: 101 }, (_, i) => (i / 100) * shoulder(2, i / 100))
    expect(bright).toEqual(bright.toSorted((a, b) => a - b))
    expect(bright[100]).toBe(1)
    const once = 0.3 * shoulder(0.7, 0.3)
    expect(once * shoulder(0.5, once)).toBeCloseTo(0.3 * shoulder(1.2, 0.3), 10)
    expect(gainBetween(0.3, 0.3 * shoulder(1.2, 0.3))).toBeCloseTo(1.2, 10)
  })

  test('gray photos stay gray', () => {
    const image = photo(64, 64)
    image.data.copyWithin(4096, 0, 4096).copyWithin(8192, 0, 4096)
    const { data } = toned(image, neutralMaps(damage))
    for (let i = 0; i < 4096; i++) expect(data[i]).toBe(data[4096 + i])
  })
})

describe('the lift after haze', () => {
  const dim = { ...photo(64, 64), data: photo(64, 64).data.map((value) => 0.45 * value) }
  const hazy = { ...dim, data: dim.data.map((value) => 0.4 * value + 0.6 * 0.9) }
  const maps = { ...identity, transmission: even(0.4) }

  test('brightens what lies dark without its haze, part of the way', () => {
    const lifted = liftedMaps(hazy, maps, full)
    const meanOf = ({ data }: Image) => data.reduce((sum, value) => sum + value, 0) / data.length
    const after = meanOf(toned(hazy, lifted))
    expect(after).toBeGreaterThan(meanOf(dim) + 0.03)
    expect(after).toBeLessThan(0.42)
  })

  test('leaves alone clear parts, clear photos and what is bright enough', () => {
    expect(liftedMaps(dim, identity, full)).toBe(identity)
    const half = planeLike({ width: 64, height: 64 }, (i) => (i % 64 < 32 ? 1 : 0.4))
    const halfHazy = { ...dim, data: dim.data.map((value, i) => (i % 64 < 32 ? value : hazy.data[i]!)) }
    const { gain } = liftedMaps(halfHazy, { ...identity, transmission: half }, full)
    expect(gain.values[5]).toBe(0)
    expect(gain.values[60]).toBeGreaterThan(0.05)
    const bright = { ...dim, data: photo(64, 64).data.map((value) => 0.4 * value + 0.6 * 0.9) }
    expect(liftedMaps(bright, maps, full)).toBe(maps)
  })
})

describe('maps of a network', () => {
  const tensor = (values: readonly number[], shape: readonly number[]) => ({
    ...{ dtype: 'float32' as const, shape },
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  })
  const outputs = (t: number, gain: number, log: number) => ({
    transmission: tensor([t], [1, 1, 1, 1]),
    gain: tensor([gain], [1, 1, 1, 1]),
    airlight: tensor([0.9, 0.9, 0.9], [1, 3]),
    balance: tensor([log, 0, -log], [1, 3]),
  })

  test('press doubt towards nothing and keep what is sure', () => {
    const doubtful = toneMapsOf(outputs(0.998, 0.005, 0.002))
    expect(1 - doubtful.transmission.values[0]!).toBeLessThan(0.0005)
    expect(doubtful.gain.values[0]).toBeLessThan(0.001)
    expect(doubtful.balance[0]).toBeLessThan(0.0005)
    const sure = toneMapsOf(outputs(0.4, 1.5, 0.3))
    // A little of what is sure is left too.
    expect(sure.transmission.values[0]).toBeCloseTo(0.41 ** 0.75, 2)
    expect(sure.gain.values[0]).toBeGreaterThan(1.45)
    expect(sure.balance[0]).toBeGreaterThan(0.28)
  })

  test('are refused where they are not finite', () => {
    expect(() => toneMapsOf(outputs(Number.NaN, 0, 0))).toThrow(
      'tone: expected finite float32 values of transmission',
    )
  })
})

describe('the sky', () => {
  /** A pale sky over uneven ground. */
  const scene = {
    ...photo(64, 64),
    data: photo(64, 64).data.map((value, i) => (i % 4096 < 1500 ? 0.7 + i / 1e6 : value)),
  }

  test('is what is even and bright from the upper edge on', () => {
    const { values } = skyOf(scene, 0.03)
    expect(values[10 * 64 + 30]).toBeGreaterThan(0.9)
    expect(values[50 * 64 + 30]).toBe(0)
    const dark = { ...scene, data: scene.data.map((value) => 0.3 * value) }
    expect(Math.max(...skyOf(dark, 0.03).values)).toBe(0)
  })

  test('does not turn dark, however thick the haze before it seems', () => {
    const thick = { ...identity, transmission: even(0.2), airlight: [1, 1, 1] as const }
    const { data } = toned(scene, thick)
    expect(data[10 * 64 + 30]).toBeGreaterThan(0.35)
  })
})

describe('grain', () => {
  const metered = (image: Image) => {
    const meter = new GrainMeter()
    meter.add(0, image)
    return meter.finish()
  }
  const flat = { width: 256, height: 128, channels: 3, data: new Float32Array(3 * 256 * 128).fill(0.5) }

  test('measures noise, and raises the floor with it', () => {
    let seed = 1
    const uniform = () => {
      seed = (seed * 16807) % 2147483647
      return seed / 2147483647
    }
    const data = flat.data.map((value) => value + ((uniform() + uniform() + uniform() - 1.5) * 2 * 6) / 255)
    const { noise255 } = metered({ ...flat, data })
    expect(noise255).toBeGreaterThan(4)
    expect(noise255).toBeLessThan(7)
    expect(transmissionFloor(metered({ ...flat, data }))).toBeGreaterThan(0.3)
    expect(transmissionFloor(metered(flat))).toBe(0.22)
  })

  test('sees blocks of eight pixels', () => {
    const data = flat.data.map((value, i) => value + ((Math.floor((i % 256) / 8) % 2) * 3) / 255)
    expect(metered({ ...flat, data }).blocks255).toBeCloseTo(3, 1)
  })
})
