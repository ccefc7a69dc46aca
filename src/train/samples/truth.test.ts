import { describe, expect, test } from 'vitest'
import { counterRandom } from '../../core/random.ts'
import type { Image, Pixels } from '../../data/image.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import { folder } from './images.ts'
import type { Draw } from './samples.ts'
import { degradedTruth, recolored, type TruthOptions, truth } from './truth.ts'

/** Gray with noise of a deviation of 20 levels. */
function noisyPhoto(width: number, height: number, channels = 3): Pixels {
  const noise = new Float32Array(width * height * channels)
  counterRandom(9).fillNormal(noise)
  return {
    width,
    height,
    channels,
    hasAlpha: false,
    data: Uint8Array.from(noise, (value) => 128 + 20 * value),
  }
}

interface DrawChoices {
  readonly photo?: Pixels
  readonly crop?: number
  readonly scale?: number
  readonly channels?: 1 | 3
}

const photo = noisyPhoto(120, 100)

function drawOf(
  seed: number,
  { photo: target = photo, crop = 32, scale = 1, channels = 3 }: DrawChoices = {},
): Draw {
  return {
    index: 0,
    name: 'photo',
    views: { target },
    data: { images: folder('', { scale, channels }) },
    phase: { steps: 1, crop, batch: 1 },
    step: 0,
    random: counterRandom(seed),
    shared: counterRandom(1),
  }
}

function deviation({ data }: Image): number {
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length
  return Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length)
}

const photosOnly: TruthOptions = { synthetic: 0, whole: 0, keepsColors: true }
const same: Degrade = (image) => image

describe('truth', () => {
  test('a shrunk photo has lost most of its noise, and keeps its brightness', () => {
    const before = 20 / 255
    const half = truth({ ...photosOnly, shrink: [0.5, 0.5] })(drawOf(1))
    expect(deviation(half)).toBeLessThan(0.55 * before)
    expect(half.data.reduce((sum, value) => sum + value, 0) / half.data.length).toBeCloseTo(128 / 255, 2)
    const least = truth({ ...photosOnly, shrink: [0.8, 0.8] })(drawOf(1))
    expect(deviation(least)).toBeLessThan(0.9 * before)
    const unchanged = truth({ ...photosOnly, shrink: [1, 1] })(drawOf(1))
    expect(deviation(unchanged)).toBeGreaterThan(0.95 * before)
  })

  test('a whole photo shows all of its square, averaged', () => {
    const large = noisyPhoto(400, 320)
    for (let y = 0; y < 320; y++) large.data.fill(y < 160 ? 20 : 220, y * 1200, (y + 1) * 1200)
    const image = truth({ ...photosOnly, whole: 1 })(drawOf(2, { photo: large }))
    const mean = image.data.reduce((sum, value) => sum + value, 0) / image.data.length
    expect(mean).toBeCloseTo(120 / 255, 2)
    expect(deviation(image)).toBeGreaterThan(0.35)
  })

  test('is the same for the same draw, and leaves the chance of the draw as it was', () => {
    const make = truth()
    for (let seed = 0; seed < 30; seed++) {
      const draw = drawOf(seed)
      const first = make(draw)
      // Others in between change nothing.
      make(drawOf(seed + 100))
      expect(make(drawOf(seed))).toEqual(first)
      expect(draw.random.uniform()).toBe(counterRandom(seed).uniform())
    }
  })

  test('is of 8 bits, of the size and channels asked for', () => {
    const make = truth({ synthetic: 0.5 })
    for (let seed = 0; seed < 40; seed++) {
      const channels = seed % 2 === 0 ? 3 : 1
      const gray = noisyPhoto(120, 100, 1)
      const image = make(drawOf(seed, { crop: 24, scale: 2, channels, photo: channels === 1 ? gray : photo }))
      expect([image.channels, image.width, image.height]).toEqual([channels, 48, 48])
      const wrong = image.data.some((value) => {
        return !(value >= 0 && value <= 1 && Math.abs(255 * value - Math.round(255 * value)) < 1e-4)
      })
      expect({ seed, wrong }).toEqual({ seed, wrong: false })
    }
  })

  test('photos that are too small to shrink as much are shrunk less', () => {
    const make = truth(photosOnly)
    for (let seed = 0; seed < 10; seed++) {
      expect(make(drawOf(seed, { photo: noisyPhoto(34, 33), crop: 32 })).width).toBe(32)
      expect(make(drawOf(seed, { photo: noisyPhoto(20, 40), crop: 32 })).width).toBe(32)
    }
  })

  test('draws as many synthetic pictures as asked for, of the kinds asked for', () => {
    const make = truth({ synthetic: 0.25, whole: 0, shrink: [1, 1], keepsColors: true, kinds: { stars: 1 } })
    let dark = 0
    for (let seed = 0; seed < 400; seed++) {
      const { data } = make(drawOf(seed, { crop: 8 }))
      if (data.reduce((sum, value) => sum + value, 0) / data.length < 0.35) dark++
    }
    expect(dark).toBeGreaterThan(70)
    expect(dark).toBeLessThan(130)
  })

  test('refuses shares and kinds that are none', () => {
    expect(() => truth({ synthetic: 1.5 })).toThrow('truth: expected synthetic from 0 to 1, got 1.5')
    expect(() => truth({ shrink: [0.8, 0.5] })).toThrow('expected shrink as a range above 0 and up to 1')
    expect(() => truth({ kinds: { stars: 0 } })).toThrow('expected weights of kinds of at least 0, not all 0')
    const unknown = { kinds: { moons: 1 } }
    expect(() => truth(unknown as TruthOptions)).toThrow(
      "unknown kind of truth 'moons': expected one of dead-leaves, text",
    )
  })
})

describe('recolored', () => {
  test('stays in 0..1 and changes most pictures', () => {
    const plane = 64
    const image: Image = { width: 8, height: 8, channels: 3, data: new Float32Array(3 * plane) }
    for (let i = 0; i < image.data.length; i++) image.data[i] = counterRandom(i).uniform()
    const before = image.data.slice()
    let changed = 0
    for (let seed = 0; seed < 100; seed++) {
      const { data } = recolored(image, counterRandom(seed))
      expect(data.every((value) => value >= 0 && value <= 1)).toBe(true)
      if (data.some((value, i) => Math.abs(value - before[i]!) > 0.01)) changed++
    }
    expect(image.data).toEqual(before)
    expect(changed).toBeGreaterThan(60)
    expect(changed).toBeLessThan(100)
  })

  test('gray stays gray', () => {
    const image: Image = { width: 4, height: 4, channels: 3, data: new Float32Array(48).fill(0.4) }
    for (let seed = 0; seed < 30; seed++) {
      const { data } = recolored(image, counterRandom(seed))
      for (const value of data) expect(value).toBeCloseTo(data[0]!, 5)
    }
  })
})

describe('degradedTruth', () => {
  test('damages what truth makes', () => {
    const darker: Degrade = (image) => ({ ...image, data: image.data.map((value) => value / 2) })
    const { input, target } = degradedTruth(truth(), darker)(drawOf(5))
    expect(target).toEqual(truth()(drawOf(5)))
    expect(input.data).toEqual(target.data.map((value) => value / 2))
  })

  test('downscales before the damage where targets are larger than inputs', () => {
    const { input, target } = degradedTruth(truth(), same)(drawOf(6, { crop: 16, scale: 3 }))
    expect([input.width, input.height, target.width, target.height]).toEqual([16, 16, 48, 48])
    const mean = ({ data }: Image) => data.reduce((sum, value) => sum + value, 0) / data.length
    expect(mean(input)).toBeCloseTo(mean(target), 1)
  })

  test('downscales as the recipe has it, and refuses inputs of another size', () => {
    const flatGray: Degrade = ({ channels }) => {
      return { width: 16, height: 16, channels, data: new Float32Array(256 * channels).fill(0.5) }
    }
    const draw = drawOf(7, { crop: 16, scale: 2 })
    const sample = degradedTruth(truth(), same, { downscale: flatGray })(draw)
    expect(sample.input.data.every((value) => value === 0.5)).toBe(true)
    expect(() => degradedTruth(truth(), same, { downscale: same })(draw)).toThrow(
      'degradedTruth: expected an input of 16 x 16 px, got 32 x 32',
    )
  })
})
