// Upscales and blends pictures without a network.

import { antialiasedTaps, type Taps } from '../../core/resample.ts'
import type { Image } from '../../data/image.ts'

/** Upscales bicubically: [c h w] -> [c h·scale w·scale], not clamped. */
export function upscale(image: Image, scale: number): Image {
  if (scale === 1) return image
  const { channels, height, width, data } = image
  const rows = height * scale
  const columns = width * scale
  const down = antialiasedTaps(height, rows)
  const across = antialiasedTaps(width, columns)
  const out = new Float32Array(channels * rows * columns)
  const line = new Float32Array(width)
  for (let c = 0; c < channels; c++) {
    const plane = data.subarray(c * height * width, (c + 1) * height * width)
    for (const [y, { first, weights }] of down.entries()) {
      line.fill(0)
      for (const [k, weight] of weights.entries()) {
        const from = (first + k) * width
        for (let x = 0; x < width; x++) line[x] = line[x]! + weight * plane[from + x]!
      }
      const to = (c * rows + y) * columns
      for (const [x, taps] of across.entries()) out[to + x] = weightedSum(line, taps)
    }
  }
  return { width: columns, height: rows, channels, data: out }
}

function weightedSum(line: Float32Array, { first, weights }: Taps): number {
  let sum = 0
  for (let k = 0; k < weights.length; k++) sum += weights[k]! * line[first + k]!
  return sum
}

/** Blends output and input: `strength` (0..1) of the output, the rest of the input. */
export function blend(output: Image, input: Image, strength: number): Image {
  const data = output.data.map((value, i) => value * strength + input.data[i]! * (1 - strength))
  return { ...output, data }
}
