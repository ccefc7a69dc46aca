// A fixed pattern to round by: it hides the steps between the levels of even areas and is the same wherever
// tiles lie.

/** Interleaved gradient noise (Jimenez, SIGGRAPH 2014) of a pixel, in -0.5..0.5. */
export function ditherAt(x: number, y: number): number {
  const gradient = 0.06711056 * x + 0.00583715 * y
  const noise = 52.9829189 * (gradient - Math.floor(gradient))
  return noise - Math.floor(noise) - 0.5
}
