// Bicubic resampling with antialiasing, as in Pillow and torch.nn.functional.interpolate(antialias=True): the
// kernel (a = −0.5) widens with the reduction factor, and weights at the edges are renormalized.

/** Weights of source samples first, first + 1, … for one output sample. */
export interface Taps {
  readonly first: number
  readonly weights: readonly number[]
}

/** Keys' cubic with a = −1/2. */
export function cubic(distance: number): number {
  const x = Math.abs(distance)
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
}

/** Weights of every output sample when a line of `from` samples is resized to `to`. */
export function antialiasedTaps(from: number, to: number): readonly Taps[] {
  const scale = from / to
  const stretch = Math.max(scale, 1)
  const support = 2 * stretch
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale
    const first = Math.max(Math.trunc(center - support + 0.5), 0)
    const last = Math.min(Math.trunc(center + support + 0.5), from)
    const raw = Array.from({ length: last - first }, (_, k) => cubic((k + first - center + 0.5) / stretch))
    const sum = raw.reduce((total, weight) => total + weight, 0)
    return { first, weights: raw.map((weight) => weight / sum) }
  })
}
