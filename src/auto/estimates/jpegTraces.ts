// Traces of JPEG in pixels, for PNGs that were JPEGs: steps at the borders of blocks of 8 × 8, and DCT
// coefficients that cluster at multiples of the quantization step (Fan and de Queiroz, Identification of
// bitmap compression history, IEEE TIP 12, 2003). Only the last compression is found, and only at its own
// size: scaling and noise erase both traces.

import { lumaSteps } from '../../data/formats/jpegTransform.ts'
import type { Plane } from '../../data/tone/planes.ts'

/** What is left of a compression. */
export interface JpegTraces {
  /** Quality 1..100 on the scale of libjpeg. */
  readonly quality: number
  /** How well coefficients fit the steps, 0..1; chance gives about 0. */
  readonly fit: number
  /** Row and column of the first border of blocks, 0..7. */
  readonly grid: readonly [top: number, left: number]
}

const block = 8

/** Blocks that are transformed; more tell nothing new. */
const maxBlocks = 1500

/** Coefficients that are compared: low frequencies, which few blocks lack. */
const frequencies: readonly (readonly [v: number, u: number])[] = [
  [0, 1],
  [1, 0],
  [1, 1],
  [0, 2],
  [2, 0],
  [1, 2],
  [2, 1],
  [2, 2],
]

/** Coefficients of a quality that have to be comparable. */
const minCoefficients = 60

/** Fit of a compression; pictures that were never compressed stay below. */
const minFit = 0.45

/** Smallest step that rounding to 8 bits leaves visible. */
const minStep = 3

/**
 * How much more the luma in 0..1 changes across the borders of blocks than within them, by the best of eight
 * positions each way: 1 without blocks. After Wang, Sheikh and Bovik, ICIP 2002.
 */
export function blockiness(luma: Plane): { readonly ratio: number; readonly grid: JpegTraces['grid'] } {
  const across = bordersOf(luma, 1)
  const down = bordersOf(luma, luma.width)
  return { ratio: Math.sqrt(across.ratio * down.ratio), grid: [down.phase, across.phase] }
}

/** Third differences by position in a block, along rows (step 1) or columns (step width). */
function bordersOf(
  { width, height, values }: Plane,
  step: number,
): { readonly ratio: number; readonly phase: number } {
  const sums = new Float64Array(block)
  const counts = new Float64Array(block)
  const isAcross = step === 1
  const [firstX, firstY] = isAcross ? [2, 0] : [0, 2]
  // Every third row does.
  const stride = isAcross ? 3 : 1
  for (let y = firstY; y < height - (isAcross ? 0 : 1); y += stride) {
    for (let x = firstX; x < width - (isAcross ? 1 : 0); x += isAcross ? 1 : 3) {
      const at = y * width + x
      const change = values[at - 2 * step]! - 3 * values[at - step]! + 3 * values[at]! - values[at + step]!
      const phase = (isAcross ? x : y) % block
      // Edges would outweigh all blocks.
      sums[phase] = sums[phase]! + Math.min(Math.abs(change), 0.2)
      counts[phase] = counts[phase]! + 1
    }
  }
  const means = Array.from(sums, (sum, i) => sum / Math.max(counts[i]!, 1))
  const phase = means.indexOf(Math.max(...means))
  const others = means.filter((_, i) => i !== phase).sort((a, b) => a - b)
  return { ratio: (means[phase]! + 1e-6) / (others[3]! + 1e-6), phase }
}

/** Finds the traces of a compression in luma in 0..1 (Rec. 601); undefined if there are none. */
export function jpegTraces(luma: Plane): JpegTraces | undefined {
  const seen = blockiness(luma).grid
  const grids = seen[0] === 0 && seen[1] === 0 ? [seen] : [[0, 0] as const, seen]
  const found = grids.flatMap((grid) => {
    const best = bestQuality(coefficientsOf(luma, grid))
    return best ? [{ ...best, grid }] : []
  })
  return found.sort((a, b) => b.fit - a.fit)[0]
}

/** Coefficients of every frequency, of 255. */
function coefficientsOf(
  { width, height, values }: Plane,
  [top, left]: JpegTraces['grid'],
): readonly Float32Array[] {
  const [rows, columns] = [(height - top) >> 3, (width - left) >> 3]
  const total = Math.max(rows * columns, 0)
  const stride = Math.max(Math.floor(total / maxBlocks), 1)
  const out = frequencies.map(() => new Float32Array(Math.ceil(total / stride)))
  for (let index = 0, n = 0; index < total; index += stride, n++) {
    const at = (top + block * Math.floor(index / columns)) * width + left + block * (index % columns)
    for (const [f, basis] of bases.entries()) {
      let sum = 0
      for (let y = 0; y < block; y++)
        for (let x = 0; x < block; x++) sum += basis[y * block + x]! * values[at + y * width + x]!
      out[f]![n] = 255 * sum
    }
  }
  return out
}

/** Orthonormal DCT-II of the frequencies. */
const bases = frequencies.map(([v, u]) => {
  const wave = (k: number, x: number) =>
    (k === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * k * Math.PI) / 16)
  return Float64Array.from({ length: 64 }, (_, i) => wave(v, i >> 3) * wave(u, i & 7))
})

/** Share of the coefficients of a level that counts, and levels that there have to be. */
const levelShare = 0.02
const minLevels = 4

/**
 * Whether coefficients lie at several multiples of the steps: those of a pattern that repeats have one value,
 * which is a multiple of some step by chance.
 */
function isSpread(coefficients: readonly Float32Array[], quality: number): boolean {
  const steps = lumaSteps(quality)
  const counts = new Map<number, number>()
  let total = 0
  for (const f of [0, 1]) {
    const [v, u] = frequencies[f]!
    const step = steps[v * block + u]!
    for (const value of coefficients[f]!) {
      const level = Math.round(value / step)
      if (level === 0) continue
      counts.set(level, (counts.get(level) ?? 0) + 1)
      total++
    }
  }
  return [...counts.values()].filter((count) => count >= levelShare * total).length >= minLevels
}

function bestQuality(
  coefficients: readonly Float32Array[],
): { readonly quality: number; readonly fit: number } | undefined {
  const fits = frequencies.map(() => new Map<number, Fit>())
  let best: { readonly quality: number; readonly fit: number } | undefined
  for (let quality = 1; quality <= 100; quality++) {
    const steps = lumaSteps(quality)
    let sum = 0
    let count = 0
    for (const [f, [v, u]] of frequencies.entries()) {
      const step = steps[v * block + u]!
      if (step < minStep) continue
      const known = fits[f]!.get(step) ?? fitOf(coefficients[f]!, step)
      fits[f]!.set(step, known)
      sum += known.sum
      count += known.count
    }
    const fit = count < minCoefficients ? 0 : sum / count
    if (fit > Math.max(best?.fit ?? 0, minFit)) best = { quality, fit }
  }
  return best && isSpread(coefficients, best.quality) ? best : undefined
}

interface Fit {
  readonly sum: number
  readonly count: number
}

/** How well coefficients lie at multiples of a step: 1 each at best. Those around 0 fit every step. */
function fitOf(coefficients: Float32Array, step: number): Fit {
  let sum = 0
  let count = 0
  for (let i = 0; i < coefficients.length; i++) {
    const value = coefficients[i]!
    if (Math.abs(value) < 0.6 * step) continue
    sum += cosineOfTurns(value / step)
    count++
  }
  return { sum, count }
}

/** Cosine of an angle up to π by its square: a polynomial fitted to 3e-6. */
const cosine = [0.99999944, -0.49999558, 0.041661033, -0.0013862747, 2.4253192e-5, -2.219395e-7] as const

/** cos(2πx), several times as fast as Math.cos. */
function cosineOfTurns(x: number): number {
  const angle = 2 * Math.PI * (x - Math.floor(x + 0.5))
  const u = angle * angle
  const [a, b, c, d, e, f] = cosine
  return a + u * (b + u * (c + u * (d + u * (e + u * f))))
}
