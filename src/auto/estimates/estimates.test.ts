// Classical estimates of known damage on photo-like pictures.

import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { counterRandom } from '../../core/random.ts'
import { grayWeights } from '../../data/color.ts'
import { type Image, in8Bits, quantize } from '../../data/image.ts'
import { blur, cameraNoise, haze, jpeg, lowLight, noise } from '../../degrade/degradationTable.ts'
import { compressJpeg } from '../../degrade/jpeg.ts'
import { deadLeaves } from '../../degrade/pictures/deadLeaves.ts'
import { resizeTo } from '../../degrade/resize.ts'
import { lightInspectDefaults } from '../../models/lightInspect/lightInspect.ts'
import { estimateDamage } from './estimate.ts'
import { estimateVector } from './estimateVector.ts'
import { jpegFileQuality } from './jpegTables.ts'

/** A scene of many sharp edges and textures. */
const large = deadLeaves.draw({ width: 640, height: 512 }, counterRandom(4))
const clean = in8Bits(resizeTo(large, { width: 320, height: 256 }))
const before = estimateDamage(clean)
const random = () => counterRandom(9)

describe('noise', () => {
  test.each([6, 15, 40])('of deviation %d is measured', (sigma) => {
    const { noise255 } = estimateDamage(in8Bits(noise({ sigma })(clean, random())))
    expect(Math.abs(noise255 / sigma - 1)).toBeLessThan(0.3)
  })

  test('that grows with the light has a slope, even noise has none', () => {
    const { width, height } = clean
    const ramp: Image = { ...clean, data: clean.data.map((_, i) => 0.1 + (0.8 * (i % width)) / width) }
    const signal = (image: Image) => estimateDamage(image).noiseCurve!
    const even = signal(noise({ sigma: 12 })(ramp, random()))
    const data = ramp.data.map((value, i) => value + 0.2 * value * even255(i))
    const sensor = signal({ ...ramp, height, data })
    expect(sensor.slope).toBeGreaterThan(0.01)
    expect(Math.abs(even.slope)).toBeLessThan(0.002)
    // Luma averages the noise of three channels.
    const inLuma = (12 / 255) * Math.hypot(...grayWeights)
    expect(Math.abs(Math.sqrt(even.constant + 0.5 * even.slope) - inLuma)).toBeLessThan(0.002)
    // A photo of one brightness tells no curve.
    expect(estimateDamage({ ...clean, data: new Float32Array(clean.data.length) }).noiseCurve).toBeUndefined()
  })

  test('of cameras is underestimated, as demosaicing smooths it', () => {
    const noisy = in8Bits(cameraNoise({ shot: 0.02, read: 8 })(clean, random()))
    const { noise255 } = estimateDamage(noisy)
    expect(noise255).toBeGreaterThan(before.noise255 + 2)
    const change = noisy.data.reduce((sum, value, i) => sum + (value - clean.data[i]!) ** 2, 0)
    expect(noise255).toBeLessThan(255 * Math.sqrt(change / noisy.data.length))
  })
})

const normals = new Float32Array(3 * 320 * 256)
counterRandom(5).fillNormal(normals)
const even255 = (i: number) => normals[i]!

describe('JPEG', () => {
  const { width, height } = clean
  const encode = (image: Image, quality: number) =>
    sharp(quantize(image, 255, new Uint8Array(image.data.length)), { raw: { width, height, channels: 3 } })
      .jpeg({ quality })
      .toBuffer()

  test.each([5, 30, 50, 75, 92])('of quality %d is told by the tables of its file', async (quality) => {
    expect(jpegFileQuality(await encode(clean, quality))).toBe(quality)
  })

  test('is told from other files and from nothing', async () => {
    expect(jpegFileQuality(new Uint8Array())).toBeUndefined()
    expect(jpegFileQuality(Uint8Array.of(0xff, 0xd8, 0xff, 0xdb, 0, 4, 0))).toBeUndefined()
    expect(
      jpegFileQuality(
        await sharp(await encode(clean, 50))
          .png()
          .toBuffer(),
      ),
    ).toBeUndefined()
  })

  test.each([10, 30, 50, 80])('of quality %d is told by pixels', (quality) => {
    const traces = estimateDamage(compressJpeg(clean, quality, '4:2:0')).jpegTraces
    expect(traces?.grid).toEqual([0, 0])
    expect(Math.abs(traces!.quality - quality)).toBeLessThanOrEqual(Math.max(2, 0.06 * quality))
  })

  test('is found at the grid of a cropped picture', () => {
    const compressed = compressJpeg(clean, 25, '4:4:4')
    const data = new Float32Array(3 * (width - 3) * (height - 5))
    const cropped = { width: width - 3, height: height - 5, channels: 3, data }
    for (let i = 0; i < data.length; i++) {
      const [x, rest] = [i % cropped.width, Math.floor(i / cropped.width)]
      const [y, c] = [rest % cropped.height, Math.floor(rest / cropped.height)]
      data[i] = compressed.data[(c * height + y + 5) * width + x + 3]!
    }
    expect(estimateDamage(cropped).jpegTraces).toMatchObject({ grid: [3, 5] })
  })

  test('is not seen in patterns that repeat with the blocks', () => {
    const waves = { ...clean, data: clean.data.map((_, i) => 0.3 + (i % 32) / 90) }
    expect(estimateDamage(in8Bits(waves)).jpegTraces).toBeUndefined()
    expect(estimateDamage(in8Bits(noise({ sigma: 20 })(waves, random()))).jpegTraces).toBeUndefined()
  })

  test('leaves no traces where there was none, and few where it was scaled', () => {
    expect(before.jpegTraces).toBeUndefined()
    expect(before.blockiness).toBeLessThan(1.1)
    const noisy = in8Bits(noise({ sigma: 15 })(clean, random()))
    expect(estimateDamage(noisy).jpegTraces).toBeUndefined()
    const scaled = resizeTo(compressJpeg(clean, 20, '4:2:0'), { width: 250, height: 200 })
    expect(estimateDamage(in8Bits(scaled)).jpegTraces).toBeUndefined()
    expect(estimateDamage(jpeg({ quality: 10 })(clean, random())).blockiness).toBeGreaterThan(1.3)
  })
})

describe('edges', () => {
  test.each([1, 2, 3.5])('blurred by a deviation of %d are 2.5 times as wide', (sigma) => {
    const { edges } = estimateDamage(in8Bits(blur({ kernel: 'iso', sigma })(clean, random())))
    expect(Math.abs(edges!.sharpest / (2.5 * sigma) - 1)).toBeLessThan(0.3)
  })

  test('of a sharp picture are narrow, and there are none on a wall', () => {
    expect(before.edges!.sharpest).toBeLessThan(1.6)
    expect(estimateDamage({ ...clean, data: new Float32Array(clean.data.length) }).edges).toBeUndefined()
  })

  test('of a subject count before a blurred background', () => {
    const far = blur({ kernel: 'disc', radius: 5 })(clean, random())
    const data = clean.data.map((value, i) => (i % clean.width < clean.width / 2 ? value : far.data[i]!))
    const { edges } = estimateDamage(in8Bits({ ...clean, data }))
    expect(edges!.sharpest).toBeLessThan(1.8)
  })
})

describe('light', () => {
  test('of haze raises the dark channel and lowers the contrast', () => {
    const { veil } = estimateDamage(in8Bits(haze({ density: 2, light: 0.9 })(clean, random())))
    expect(veil.darkChannel).toBeGreaterThan(before.veil.darkChannel + 0.2)
    const even = estimateDamage({ ...clean, data: clean.data.map((value) => 0.5 * value + 0.4) }).veil
    expect(even.contrast / before.veil.contrast).toBeCloseTo(0.5, 1)
    expect(even.darkChannel).toBeCloseTo(0.5 * before.veil.darkChannel + 0.4, 2)
  })

  test('of dark pictures is low', () => {
    const dark = estimateDamage(in8Bits(lowLight({ stops: 3 })(clean, random()))).brightness
    expect(dark.median).toBeLessThan(0.5 * before.brightness.median)
    expect(dark.bright).toBeLessThan(0.6)
  })

  test('is spread as it is', () => {
    const size = { width: 16, height: 16, channels: 1 }
    const { brightness } = estimateDamage({
      ...size,
      data: Float32Array.from({ length: 256 }, (_, i) => i / 255),
    })
    expect(brightness.median).toBeCloseTo(0.5, 1)
    expect([brightness.dark, brightness.bright].map((one) => Math.round(100 * one))).toEqual([5, 95])
    expect([brightness.black, brightness.white]).toEqual([3 / 256, 3 / 256])
  })
})

describe('the vector for the network', () => {
  const plain = (level: number): Image => ({
    ...clean,
    data: new Float32Array(clean.data.length).fill(level),
  })

  test.each([
    ['a photo', clean],
    ['black', plain(0)],
    ['white', plain(1)],
    ['JPEG', compressJpeg(clean, 12, '4:2:0')],
    ['one pixel', { width: 1, height: 1, channels: 3, data: new Float32Array(3) }],
  ])('is finite, of one length and of the order of 1: %s', (_, image) => {
    const vector = [...estimateVector(estimateDamage(image))]
    expect(vector.length).toBe(lightInspectDefaults.estimates)
    expect(vector.filter((value) => !(Math.abs(value) < 12))).toEqual([])
  })

  test('tells what could not be measured from zero', () => {
    const [known, unknown] = [before, { ...before, edges: undefined }].map((one) => [...estimateVector(one)])
    expect(
      known!.map((value, i) => value - unknown![i]!).filter((change) => change !== 0).length,
    ).toBeGreaterThan(2)
    expect(unknown!.length).toBe(known!.length)
  })
})
