// The gamma function, used to fit generalized Gaussians.

/** Lanczos coefficients for g = 7 and nine terms, accurate to 15 digits for x > 0. */
const coefficients = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const

/** Γ(x) for x > 0. */
export function gamma(x: number): number {
  return Math.exp(logGamma(x))
}

/** ln Γ(x) for x > 0. */
export function logGamma(x: number): number {
  // Γ(x) = Γ(x + 1) / x for small arguments.
  if (x < 0.5) return logGamma(x + 1) - Math.log(x)
  const z = x - 1
  const sum = coefficients.reduce((total, c, i) => (i === 0 ? c : total + c / (z + i)), 0)
  const t = z + 7.5
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum)
}
