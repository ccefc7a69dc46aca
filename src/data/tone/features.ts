// What the tone network is shown beside the view of a photo: the dark channel prior (He, Sun, Tang, CVPR
// 2009) and the brightness.

import type { Image } from '../image.ts'
import { boxMinimum, type Plane, planeLike } from './planes.ts'

/** Side of the view of a photo. */
export const viewPx = 256

/** Windows of the prior, for a view of 256 pixels. */
const darkRadius = 7
const transmissionRadius = 4

/** Share of the veil that the prior takes for haze. */
const omega = 0.95

export type Color = readonly [red: number, green: number, blue: number]

export interface ToneFeatures {
  /** Dark channel, transmission by the prior, log of the brightness [3 h w], each about 0..1. */
  readonly priors: Image
  /** Light of the air by the prior: the color of the haziest pixels. */
  readonly airlight: Color
}

/** Rec. 709 luma of planes [3 h w]. */
export function luma({ width, height, data }: Image): Plane {
  const pixels = width * height
  return planeLike(
    { width, height },
    (i) => 0.2126 * data[i]! + 0.7152 * data[pixels + i]! + 0.0722 * data[2 * pixels + i]!,
  )
}

/** The dark channel of a view [3 h w] in 0..1: the least color of the windows about each pixel. */
export function darkChannel(view: Image): Plane {
  return boxMinimum(leastChannel(view, [1, 1, 1]), darkRadius)
}

/** Computes the features of a view [3 h w] in 0..1. */
export function toneFeatures(view: Image): ToneFeatures {
  const { width, height, data } = view
  const pixels = width * height
  const dark = darkChannel(view)
  const airlight = airlightOf(view, dark)
  const veil = boxMinimum(leastChannel(view, airlight), transmissionRadius)
  const priors = new Float32Array(3 * pixels)
  priors.set(dark.values)
  for (let i = 0; i < pixels; i++) {
    priors[pixels + i] = Math.min(Math.max(1 - omega * veil.values[i]!, 0), 1)
    const brightness = (data[i]! + data[pixels + i]! + data[2 * pixels + i]!) / 3
    priors[2 * pixels + i] = Math.log(Math.max(brightness, 0) + 0.02) / 4 + 1
  }
  return { priors: { width, height, channels: 3, data: priors }, airlight }
}

/** The least channel of every pixel, each divided by that of a color. */
function leastChannel({ width, height, data }: Image, [red, green, blue]: Color): Plane {
  const pixels = width * height
  return planeLike({ width, height }, (i) =>
    Math.min(data[i]! / red, data[pixels + i]! / green, data[2 * pixels + i]! / blue),
  )
}

/** The median color where the dark channel is among its largest 0.2 %. */
function airlightOf({ data }: Image, dark: Plane): Color {
  const pixels = dark.values.length
  const least = upperThreshold(dark.values, Math.max(1, Math.floor(pixels / 500)))
  const haziest = Array.from(dark.values.keys()).filter((i) => dark.values[i]! >= least)
  const median = (c: number) => {
    const values = Float32Array.from(haziest, (i) => data[c * pixels + i]!).sort()
    return Math.min(Math.max(values[values.length >> 1]!, 0.4), 1)
  }
  return [median(0), median(1), median(2)]
}

/** A value that at least `count` values reach, to 1/4096 of [0, 1]. */
function upperThreshold(values: Float32Array, count: number): number {
  const bins = 4096
  const counts = new Uint32Array(bins + 1)
  for (const value of values) {
    const bin = Math.floor(Math.min(Math.max(value, 0), 1) * bins)
    counts[bin] = counts[bin]! + 1
  }
  let bin = bins
  for (let reached = counts[bin]!; reached < count && bin > 0; reached += counts[bin]!) bin--
  return bin === 0 ? Number.NEGATIVE_INFINITY : bin / bins
}
