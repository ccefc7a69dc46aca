// Replaces transparency with a color.

import { RestoreError } from '../../core/errors.ts'
import { type Pixels, peakOf } from '../image.ts'
import { pixelOf } from '../sharp.ts'
import { convertByProfile } from '../sharpRaster.ts'
import { srgbDecode, srgbEncode } from './curves.ts'
import { srgbTransform } from './srgbTransform.ts'

/** Checks a background, given by an option. @throws RestoreError `usage` where it is no color of CSS */
export function checkBackground(background: string, option = 'background'): void {
  colorOf(background, option)
}

function colorOf(background: string, option = 'background') {
  try {
    return pixelOf(background)
  } catch (error) {
    const expected = "expected a color as in CSS, such as white or '#ff8800'"
    throw new RestoreError('usage', `${option}: ${expected}, got ${background}`, { cause: error })
  }
}

/** Blends pixels in the color space of a profile with a background, by their alpha, which is dropped. */
export async function flatten(
  pixels: Pixels,
  icc: Uint8Array | undefined,
  background: string,
): Promise<Pixels> {
  const { channels, hasAlpha, data } = pixels
  if (!hasAlpha) return pixels
  const srgb = Array.from(await colorOf(background).raw().toBuffer(), (value) => value / 255)
  const color = await samplesOf(channels === 1 ? [luminance(srgb)] : srgb, icc)
  const peak = peakOf(data)
  const count = data.length / (channels + 1)
  const flat =
    data instanceof Uint16Array ? new Uint16Array(count * channels) : new Uint8Array(count * channels)
  for (let i = 0; i < count; i++) {
    const from = i * (channels + 1)
    const alpha = data[from + channels]! / peak
    for (let c = 0; c < channels; c++) {
      const behind = color[c]! * peak
      flat[i * channels + c] = Math.round(behind + alpha * (data[from + c]! - behind))
    }
  }
  return { ...pixels, hasAlpha: false, data: flat }
}

/** The gray of a color. */
function luminance(srgb: readonly number[]): number {
  const [r = 0, g = 0, b = 0] = srgb.map(srgbDecode)
  return srgbEncode(0.2126 * r + 0.7152 * g + 0.0722 * b)
}

/** Saturation counts little, but decides between the colors that clip to the same sRGB. */
const saturationWeight = 1e-3

function saturation(samples: readonly number[]): number {
  const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length
  return samples.reduce((sum, value) => sum + (value - mean) ** 2, 0)
}

/** Finds the samples of an sRGB color in a profile, all in [0, 1], by a search that narrows. */
async function samplesOf(srgb: readonly number[], icc: Uint8Array | undefined): Promise<readonly number[]> {
  if (!icc) return srgb
  const toSrgb = await srgbTransform(icc, convertByProfile)
  const channels = srgb.length
  let best: readonly number[] = srgb
  for (let span = 1; span > 1e-5; span *= 0.6) {
    const near = neighbors(best, span)
    const data = Uint16Array.from(near.flat(), (value) => Math.round(value * 65535))
    const found = toSrgb({ width: near.length, height: 1, channels, hasAlpha: false, data }).data
    const costs = near.map((samples, i) => {
      const miss = srgb.map((value, c) => Math.abs(found[i * channels + c]! / 65535 - value))
      return Math.max(...miss) + saturationWeight * saturation(samples)
    })
    best = near[costs.indexOf(Math.min(...costs))]!
  }
  return best
}

/** A grid of five steps in each channel around samples, within [0, 1]. */
function neighbors(samples: readonly number[], span: number): readonly (readonly number[])[] {
  return samples.reduce<readonly (readonly number[])[]>(
    (found, value) =>
      found.flatMap((start) =>
        [0, -span, -span / 2, span / 2, span].map((offset) => [
          ...start,
          Math.min(Math.max(value + offset, 0), 1),
        ]),
      ),
    [[]],
  )
}
