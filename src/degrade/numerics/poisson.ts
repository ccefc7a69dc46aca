// Poisson sampling: by inversion for small means, by transformed rejection (PTRS; Hörmann, 1993) for large
// ones.

import { exp, log } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'

/** log(n!) for n < 16. */
const logFactorials = (() => {
  const table = [0]
  for (let n = 1; n < 16; n++) table.push(table[n - 1]! + log(n))
  return table
})()

/** log(n!) from the table, or by Stirling's series for larger n. */
function logFactorial(n: number): number {
  const tabulated = logFactorials[n]
  if (tabulated !== undefined) return tabulated
  const x = n + 1
  const square = 1 / (x * x)
  const series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / x
  return (x - 0.5) * log(x) - x + 0.9189385332046728 + series
}

function sampleByInversion(mean: number, random: Random): number {
  let probability = exp(-mean)
  let u = random.uniform()
  for (let n = 0; ; n++) {
    // The bound ends the loop if rounding leaves a remainder of u.
    if (u < probability || n > 100) return n
    u -= probability
    probability *= mean / (n + 1)
  }
}

function sampleByRejection(mean: number, random: Random): number {
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
    const logAcceptance = log((v * inverseAlpha) / (a / (distance * distance) + b))
    if (logAcceptance <= n * logMean - mean - logFactorial(n)) return n
  }
}

/** Draws from a Poisson distribution. */
export function samplePoisson(mean: number, random: Random): number {
  if (mean <= 0) return 0
  return mean < 10 ? sampleByInversion(mean, random) : sampleByRejection(mean, random)
}
