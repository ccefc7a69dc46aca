import { describe, expect, test } from 'vitest'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { isotropicGaussian } from './numerics/kernels.ts'
import { imresize } from './resize.ts'
import { dasrBicubic, srmd, srmdImage, subsample } from './srmd.ts'

function noise(channels: number, height: number, width: number): Image {
  const random = counterRandom(5)
  const data = Float32Array.from({ length: channels * height * width }, () => random.uniform())
  return { channels, height, width, data }
}

describe('dasrBicubic', () => {
  test('matches MATLAB in the interior, and repeats edges where MATLAB mirrors', () => {
    const image = noise(1, 40, 48)
    const official = dasrBicubic(image, 1 / 4)
    const matlab = imresize(image, 1 / 4)
    expect([official.height, official.width]).toEqual([10, 12])
    const difference = (y: number, x: number) =>
      Math.abs(official.data[y * 12 + x]! - matlab.data[y * 12 + x]!)
    for (let y = 2; y < 8; y++) for (let x = 2; x < 10; x++) expect(difference(y, x)).toBeLessThan(1e-6)
    expect(difference(0, 5)).toBeGreaterThan(1e-3)
  })

  test('drops taps with weight 0 in the first output from every output', () => {
    // At 3/4 some outputs need one more tap than the first, so their weights do not sum to 1.
    const flat: Image = { channels: 1, height: 1, width: 24, data: new Float32Array(24).fill(1) }
    const { data } = dasrBicubic({ ...flat, height: 24, data: new Float32Array(576).fill(1) }, 3 / 4)
    expect(data[0]).toBeCloseTo(1, 6)
    expect(Math.abs(data[1]! - 1)).toBeGreaterThan(1e-3)
  })

  test('rounds sizes down and rejects a size of 0', () => {
    expect(dasrBicubic(noise(1, 11, 14), 1 / 4)).toMatchObject({ height: 2, width: 3 })
    expect(() => dasrBicubic(noise(1, 3, 8), 1 / 4)).toThrow(
      'expected a result of at least 1 px, got 3 px times 0.25',
    )
  })
})

test('s-fold keeps the top left pixels', () => {
  const image: Image = {
    channels: 1,
    height: 4,
    width: 5,
    data: Float32Array.from({ length: 20 }, (_, i) => i),
  }
  expect([...subsample(image, 2).data]).toEqual([0, 2, 10, 12])
})

describe('srmd', () => {
  test('returns 8-bit values and adds noise after downscaling', () => {
    const image = noise(3, 32, 32)
    const options = { kernel: isotropicGaussian(21, 1.5), scale: 2, downsampling: 'bicubic' } as const
    const clean = srmdImage(image, { ...options, noise: 0 }, counterRandom(1))
    const noisy = srmdImage(image, { ...options, noise: 20 }, counterRandom(1))
    expect([noisy.channels, noisy.height, noisy.width]).toEqual([3, 16, 16])
    for (const value of noisy.data) expect(value).toBe(Math.fround(Math.round(value * 255) / 255))
    const error = noisy.data.map((value, i) => (value - clean.data[i]!) * 255)
    expect(Math.sqrt(error.reduce((sum, e) => sum + e * e, 0) / error.length)).toBeCloseTo(20, -1)
  })

  test('draws kernels and levels reproducibly within their ranges', () => {
    const image = noise(3, 24, 24)
    for (const settings of [
      {},
      { kernel: 'aniso', noise: [0, 25], scale: 3 },
      { sigma: 0, downsampling: 's-fold' },
    ] as const) {
      const [a, b] = [1, 1].map((seed) => srmd(settings)(image, counterRandom(seed)))
      expect(a).toEqual(b)
      expect(a?.width).toBe(24 / ('scale' in settings ? settings.scale : 4))
    }
    expect(srmd({ sigma: 0, downsampling: 's-fold' })(image, counterRandom(1)).data[0]).toBeCloseTo(
      image.data[0]!,
      2,
    )
  })
})
