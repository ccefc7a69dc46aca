// Poisson numbers: by inversion for few events, by transformed rejection (PTRS of Hörmann, 1993) for many.

import { exp, log } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'

/** log(n!) by its table or by Stirling's series. */
const logFactorials = (() => {
  const table = [0]
  for (let n = 1; n < 16; n++) table.push(table[n - 1]! + log(n))
  return table
})()

function logFactorial(n: number): number {
  const known = logFactorials[n]
  if (known !== undefined) return known
  const x = n + 1
  const square = 1 / (x * x)
  const series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / x
  return (x - 0.5) * log(x) - x + 0.9189385332046728 + series
}

function byInversion(mean: number, random: Random): number {
  let probability = exp(-mean)
  let u = random.uniform()
  for (let n = 0; ; n++) {
    // The bound stops what rounding leaves of u.
    if (u < probability || n > 100) return n
    u -= probability
    probability *= mean / (n + 1)
  }
}

function byRejection(mean: number, random: Random): number {
  const logMean = log(mean)
  const b = 0.931 + 2.53 * Math.sqrt(mean)
  const a = -0.059 + 0.02483 * b
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4)
  const accepted = 0.9277 - 3.6224 / (b - 2)
  for (;;) {
    const u = random.uniform() - 0.5
    const v = random.uniform()
    const distance = 0.5 - Math.abs(u)
    const n = Math.floor(((2 * a) / distance + b) * u + mean + 0.43)
    if (distance >= 0.07 && v <= accepted) return n
    if (n < 0 || (distance < 0.013 && v > distance)) continue
    const left = log((v * inverseAlpha) / (a / (distance * distance) + b))
    if (left <= n * logMean - mean - logFactorial(n)) return n
  }
}

/** How many events happen where `mean` are expected. */
export function samplePoisson(mean: number, random: Random): number {
  if (mean <= 0) return 0
  return mean < 10 ? byInversion(mean, random) : byRejection(mean, random)
}
