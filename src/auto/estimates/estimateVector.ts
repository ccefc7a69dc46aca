// Estimates as numbers for the inspecting network, each of the order of 1.

import type { Estimates } from './estimate.ts'

/**
 * Values of the estimates [20]; what could not be measured is 0, and a flag says so. The quality in the tables of
 * a file is left out: it is proof, not a hint.
 */
export function estimateVector(estimates: Estimates): Float32Array {
  const { noise255, noiseCurve, jpegTraces, blockiness, edges, brightness, veil } = estimates
  const { dark, median, bright, mean, black, white } = brightness
  return Float32Array.of(
    Math.log1p(noise255),
    ...flagged(noiseCurve, ({ slope, constant }) => [Math.asinh(1e3 * slope), Math.asinh(1e3 * constant)], 2),
    ...flagged(jpegTraces, ({ quality, fit }) => [quality / 100, fit], 2),
    10 * Math.log(Math.min(Math.max(blockiness, 0.5), 2)),
    ...flagged(edges, ({ sharpest, median, count }) => [sharpest, median, count].map(Math.log), 3),
    ...[dark, median, bright, mean, black, white],
    ...[veil.darkChannel, veil.contrast],
  )
}

/** Values of an estimate after 1, or as many zeros after 0 where there is none. */
function flagged<T>(
  estimate: T | undefined,
  values: (estimate: T) => readonly number[],
  count: number,
): readonly number[] {
  return estimate === undefined ? new Array<number>(1 + count).fill(0) : [1, ...values(estimate)]
}
