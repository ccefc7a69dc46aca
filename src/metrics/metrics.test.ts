import { expect, test } from 'vitest'
import { hashed } from '../../test/hashed.ts'
import type { Image } from '../data/image.ts'
import { factsOf } from './evaluate.ts'
import { type MetricName, metrics } from './metrics.ts'

function picture(key: string, width: number, height: number, channels = 3): Image {
  return { width, height, channels, data: hashed(key, [channels, height, width]) }
}

/** Adds levels to an image without clamping. */
function shifted(image: Image, levels: number): Image {
  return { ...image, data: image.data.map((value) => value + levels / 255) }
}

const gray = (level: number, channels = 3): Image => ({
  width: 16,
  height: 16,
  channels,
  data: new Float32Array(channels * 256).fill(level / 255),
})

const figure = (name: MetricName, a: Image, b: Image, cropPx = 0) => metrics[name].compute(a, b, { cropPx })

test('PSNR of a constant difference is 20·log10(255 / difference)', () => {
  expect(figure('psnr', gray(100), gray(110))).toBeCloseTo(20 * Math.log10(25.5), 5)
  expect(figure('psnr-float', gray(100), gray(100.25))).toBeCloseTo(20 * Math.log10(255 / 0.25), 2)
  expect(figure('mae', gray(100), gray(110))).toBeCloseTo(10 / 255, 6)
})

test('conventions differ in rounding, weights and clamping', () => {
  const a = gray(100)
  const b = gray(110)
  expect(figure('psnr', a, gray(100.4))).toBe(Number.POSITIVE_INFINITY)
  // A gray difference of 10 is 8.588 in Y; rounding takes 101.882 and 110.471 to 102 and 110.
  expect(figure('psnr-y-float', a, b)).toBeCloseTo(20 * Math.log10(255 / (10 * (219 / 255))), 4)
  expect(figure('psnr-y', a, b)).toBeCloseTo(20 * Math.log10(255 / 8), 4)
  expect(figure('psnr-y-diff', a, b)).toBeCloseTo(20 * Math.log10(255 / ((10 * 219.859) / 256)), 4)
  expect(figure('psnr-float', gray(255), gray(300))).toBe(Number.POSITIVE_INFINITY)
})

test('identical images have SSIM 1 and no error under every convention', () => {
  const image = picture('a', 24, 20)
  for (const [name, metric] of Object.entries(metrics)) {
    if (!metric.needsReference) continue
    const value = metric.compute(image, image, { cropPx: 2 })
    if (name.startsWith('psnr')) expect(value).toBe(Number.POSITIVE_INFINITY)
    else expect(value).toBeCloseTo(name === 'mae' ? 0 : 1, 12)
  }
})

test('SSIM of two constant images is the luminance term', () => {
  const c1 = (0.01 * 255) ** 2
  const expected = (2 * 100 * 110 + c1) / (100 ** 2 + 110 ** 2 + c1)
  for (const name of ['ssim', 'ssim-3d', 'ssim-gaussian-float', 'ssim-uniform-float'] as const) {
    expect(figure(name, gray(100), gray(110))).toBeCloseTo(expected, 6)
  }
})

test('SSIM of a single window matches its definition', () => {
  const a = picture('a', 7, 7, 1)
  const b = picture('b', 7, 7, 1)
  const levels = ({ data }: Image) => Array.from(data, (value) => value * 255)
  const mean = (values: readonly number[]) => values.reduce((x, y) => x + y, 0) / values.length
  const covariance = (x: readonly number[], y: readonly number[]) =>
    x.reduce((total, value, i) => total + (value - mean(x)) * (y[i]! - mean(y)), 0) / (x.length - 1)
  const x = levels(a)
  const y = levels(b)
  const c1 = (0.01 * 255) ** 2
  const c2 = (0.03 * 255) ** 2
  const expected =
    ((2 * mean(x) * mean(y) + c1) * (2 * covariance(x, y) + c2)) /
    ((mean(x) ** 2 + mean(y) ** 2 + c1) * (covariance(x, x) + covariance(y, y) + c2))
  expect(figure('ssim-uniform-float', a, b)).toBeCloseTo(expected, 6)
})

test('volume SSIM is the same for a gray image and three equal channels', () => {
  const a = picture('a', 20, 18, 1)
  const b = picture('b', 20, 18, 1)
  const colored = (image: Image): Image => ({
    ...image,
    channels: 3,
    data: Float32Array.from({ length: 3 * image.data.length }, (_, i) => image.data[i % image.data.length]!),
  })
  expect(figure('ssim-3d', colored(a), colored(b))).toBeCloseTo(figure('ssim-3d', a, b), 12)
  expect(figure('psnr-y-diff', colored(a), colored(b))).toBe(figure('psnr-y-diff', a, b))
})

test('a crop excludes the border on every side', () => {
  const a = picture('a', 20, 18)
  const b = { ...a, data: a.data.slice() }
  for (let c = 0; c < 3; c++) for (let x = 0; x < 20; x++) b.data[c * 360 + 2 * 20 + x] = 0
  expect(figure('psnr', a, b, 2)).toBeLessThan(40)
  expect(figure('psnr', a, b, 3)).toBe(Number.POSITIVE_INFINITY)
})

test('NIQE needs no reference and reports the minimum image size', () => {
  expect(metrics.niqe.compute(undefined, picture('a', 288, 192), { cropPx: 0 })).toBeGreaterThan(0)
  expect(() => metrics.niqe.compute(undefined, picture('a', 100, 100), { cropPx: 0 })).toThrow(
    /niqe: expected an image of at least 2 blocks of 96×96 pixels, got 100×100/,
  )
  expect(() => metrics.niqe.compute(undefined, gray(10, 1), { cropPx: 0 })).toThrow(/16×16/)
})

test('NIQE of a flat image is an error', () => {
  const flat = { width: 192, height: 192, channels: 1, data: new Float32Array(192 * 192).fill(0.5) }
  expect(() => metrics.niqe.compute(undefined, flat, { cropPx: 0 })).toThrow(/blocks .* with texture, got 0/)
})

test('invalid sizes, crops, windows, names and a missing reference are rejected', () => {
  const a = picture('a', 20, 18)
  expect(() => figure('psnr', a, picture('b', 20, 17))).toThrow(
    /reference of 3×18×20 and an output of 3×17×20/,
  )
  expect(() => figure('psnr', a, a, 9)).toThrow(/more than 18 pixels per side/)
  expect(() => figure('psnr', a, a, 0.5)).toThrow(/whole pixels, got 0\.5/)
  expect(() => figure('ssim', a, a, 4)).toThrow(/at least 11×11 pixels for its window, got 10×12/)
  expect(() => factsOf('pnsr')).toThrow(/one of psnr, .*, got 'pnsr'/)
  expect(() => factsOf('toString')).toThrow(/got 'toString'/)
  expect(() => metrics.ssim.compute(undefined, a, { cropPx: 0 })).toThrow(/expected a reference/)
})

test('levels out of range are clamped', () => {
  expect(figure('psnr-float', gray(250), shifted(gray(250), 20))).toBeCloseTo(20 * Math.log10(51), 4)
})

test('an output of NaN gives NaN', () => {
  const broken = { ...gray(100), data: new Float32Array(3 * 256).fill(Number.NaN) }
  for (const name of ['psnr', 'psnr-float', 'psnr-y', 'ssim', 'ssim-y'] as const) {
    expect(figure(name, gray(100), broken)).toBeNaN()
  }
})
