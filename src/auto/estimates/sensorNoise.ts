// How noise grows with the light: variance = slope · brightness + constant, as on a sensor (Foi et al.,
// Practical Poissonian-Gaussian noise modeling and fitting, IEEE TIP 17, 2008), from the noise of windows of
// different brightness.

import type { Image } from '../../data/image.ts'
import { noiseLevel } from './noiseLevel.ts'

/** Variance of noise against brightness, both of values in 0..1. */
export interface NoiseCurve {
  readonly slope: number
  /** At black; noise that falls with the light, as in the dark of a tone curve, has a negative slope. */
  readonly constant: number
}

const bins = 8

/** Windows that have to share a brightness, and brightnesses that there have to be. */
const minWindows = 3
const minBins = 3

/**
 * Fits the noise of windows of one size. Of the windows of a brightness, the half with the least noise counts,
 * for texture adds to the rest. Undefined where the windows are too much alike.
 */
export function noiseCurve(windows: readonly Image[]): NoiseCurve | undefined {
  const groups: { brightness: number; variance: number }[][] = Array.from({ length: bins }, () => [])
  for (const window of windows) {
    const brightness = window.data.reduce((sum, value) => sum + value, 0) / window.data.length
    const bin = Math.min(Math.max(Math.floor(brightness * bins), 0), bins - 1)
    groups[bin]!.push({ brightness, variance: (noiseLevel([window]) / 255) ** 2 })
  }
  const points = groups.flatMap((group) => {
    if (group.length < minWindows) return []
    const quietest = group.sort((a, b) => a.variance - b.variance)
    return quietest.slice(0, Math.ceil(quietest.length / 2))
  })
  const filled = groups.filter(({ length }) => length >= minWindows).length
  return filled < minBins ? undefined : lineThrough(points)
}

/** Least squares. */
function lineThrough(
  points: readonly { readonly brightness: number; readonly variance: number }[],
): NoiseCurve {
  const mean = (value: (point: (typeof points)[number]) => number) =>
    points.reduce((sum, point) => sum + value(point), 0) / points.length
  const [x, y] = [mean(({ brightness }) => brightness), mean(({ variance }) => variance)]
  const spread = mean(({ brightness }) => (brightness - x) ** 2)
  const slope = mean((point) => (point.brightness - x) * (point.variance - y)) / spread
  return { slope, constant: y - slope * x }
}
