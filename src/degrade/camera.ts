// Camera noise, added in linear light before demosaicing and tone curve; hence correlated between pixels and
// dependent on color.

import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { clamp01 } from './noise.ts'
import { samplePoisson } from './numerics/poisson.ts'
import { fromLinear, toLinear } from './numerics/srgb.ts'

/** White balance gains of red, green and blue in daylight. */
const colorGains = [2, 1, 1.7]

/** Channel of pixel (y, x) in an RGGB mosaic. */
function mosaicChannel(y: number, x: number): number {
  return (y & 1) + (x & 1)
}

/** Demosaics [h w] to [3 h w]: each missing value is the mean of that channel in the 3×3 neighborhood. */
function demosaic(mosaic: Float32Array, width: number, height: number): Float32Array {
  const data = new Float32Array(3 * width * height)
  const sums = new Float64Array(3)
  const counts = new Float64Array(3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      sums.fill(0)
      counts.fill(0)
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, height - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, width - 1); u++) {
          const c = mosaicChannel(v, u)
          sums[c] = sums[c]! + mosaic[v * width + u]!
          counts[c] = counts[c]! + 1
        }
      }
      const center = mosaicChannel(y, x)
      sums[center] = mosaic[y * width + x]!
      counts[center] = 1
      for (let c = 0; c < 3; c++) data[(c * height + y) * width + x] = sums[c]! / Math.max(counts[c]!, 1)
    }
  }
  return data
}

export interface Sensor {
  /** Photon noise: variance at a signal of 1. */
  readonly shot: number
  /** Read noise: standard deviation. */
  readonly read: number
}

function sensorError(signal: number, { shot, read }: Sensor, random: Random): number {
  const counted = shot > 0 ? samplePoisson(signal / shot, random) * shot : signal
  return counted - signal + read * random.normal()
}

/**
 * Draws sensor noise for an image in linear light [c h w]. For color, only the noise is demosaiced, so the
 * image keeps its detail.
 */
export function sensorErrors(linear: Image, sensor: Sensor, random: Random): Float32Array {
  const { width, height, channels, data } = linear
  if (channels !== 3) return data.map((value) => sensorError(value, sensor, random))
  const pixels = width * height
  const mosaic = new Float32Array(pixels)
  for (let i = 0; i < pixels; i++) {
    const c = mosaicChannel(Math.floor(i / width), i % width)
    const gain = colorGains[c]!
    mosaic[i] = gain * sensorError(data[c * pixels + i]! / gain, sensor, random)
  }
  return demosaic(mosaic, width, height)
}

function addCameraNoise(image: Image, sensor: Sensor, random: Random): Image {
  const linear = image.data.map((value) => toLinear(clamp01(value)))
  const errors = sensorErrors({ ...image, data: linear }, sensor, random)
  const data = linear.map((value, i) => fromLinear(clamp01(value + errors[i]!)))
  return { ...image, data }
}

/** Camera sensor noise: photon and read noise before demosaicing, white balance and tone curve. */
export const cameraNoise = defineDegradation({
  name: 'camera-noise',
  summary: 'camera sensor noise: photon and read noise before demosaicing, white balance and tone curve',
  source:
    'the noise model of Brooks et al., Unprocessing Images for Learned Raw Denoising, CVPR 2019, section 3.1',
  parameters: {
    shot: {
      type: 'number',
      summary: 'variance of the photon noise at white, in linear light; grows with the ISO setting',
      unit: '0..1',
      minimum: 0,
      maximum: 0.1,
      default: [0.0001, 0.012],
    },
    read: {
      type: 'number',
      summary: 'standard deviation of the read noise, in linear light',
      unit: '0..255',
      minimum: 0,
      maximum: 50,
      default: [0.1, 5],
    },
  } as const satisfies Parameters,
  apply: (image, { shot, read }, random) => addCameraNoise(image, { shot, read: read / 255 }, random),
})
