// Sharpness by the width of edges: how far the brightness takes from one side to the other. After Marziliano
// et al., A no-reference perceptual blur metric, ICIP 2002, with the width as height over the largest slope,
// which is finer than a count of pixels.

import type { Plane } from '../../data/tone/planes.ts'

/** Edges of a picture. */
export interface EdgeWidths {
  /** Width in pixels that the sharpest fifth stays below: of the subject, if the background is blurred. */
  readonly sharpest: number
  readonly median: number
  /** Number of edges measured. */
  readonly count: number
}

/** Difference between the sides of an edge that is measured. */
const minHeight = 0.12

/** Fewer edges tell nothing. */
const minEdges = 30

/** Distance in pixels between lines that are measured. */
const lineDistance = 4

/**
 * Widths of the edges of luma in 0..1; a Gaussian of sigma makes a sharp edge 2.5 sigma wide. Undefined for
 * pictures with few edges. Noise breaks edges into short ones: it has to be small beside their height, 0.12.
 */
export function edgeWidths(luma: Plane): EdgeWidths | undefined {
  const widths: number[] = []
  const { width, height } = luma
  for (let y = 0; y < height; y += lineDistance) measureLine(luma, y * width, 1, width, widths)
  for (let x = 0; x < width; x += lineDistance) measureLine(luma, x, width, height, widths)
  if (widths.length < minEdges) return undefined
  const sorted = Float32Array.from(widths).sort()
  const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!
  return { sharpest: quantile(0.2), median: quantile(0.5), count: sorted.length }
}

/** Measures the monotonic runs of a line that are high enough. */
function measureLine({ values }: Plane, start: number, step: number, length: number, out: number[]): void {
  let from = start
  let steepest = 0
  let direction = 0
  const end = start + (length - 1) * step
  for (let at = start; at <= end; at += step) {
    const slope = at === end ? 0 : values[at + step]! - values[at]!
    const sign = Math.sign(slope)
    if (sign === direction && sign !== 0) {
      steepest = Math.max(steepest, Math.abs(slope))
      continue
    }
    const height = Math.abs(values[at]! - values[from]!)
    if (height >= minHeight) out.push(height / steepest)
    from = at
    direction = sign
    steepest = Math.abs(slope)
  }
}
