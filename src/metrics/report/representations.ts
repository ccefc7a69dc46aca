// Analyzes an encoder's representations: principal components, and how well a linear probe predicts a
// quantity.

import { RestoreError } from '../../core/errors.ts'
import { eigenOfSymmetric } from '../numerics/symmetric.ts'

/** Feature vectors of equal length, one row per image. */
export type Rows = readonly Float32Array[]

interface Spectrum {
  readonly mean: Float64Array
  /** Variances along the axes, descending. */
  readonly variances: readonly number[]
  /** Unit vectors in the same order. */
  readonly axes: readonly Float64Array[]
}

function spectrumOf(rows: Rows): Spectrum {
  const d = rows[0]?.length ?? 0
  if (rows.length < 2 || d === 0 || rows.some((row) => row.length !== d)) {
    throw new RestoreError(
      'usage',
      `representations: expected at least 2 of equal length, got ${rows.length} of length ${[...new Set(rows.map((row) => row.length))]}`,
    )
  }
  const mean = new Float64Array(d)
  for (const row of rows) for (let i = 0; i < d; i++) mean[i]! += row[i]! / rows.length
  const covariance = new Float64Array(d * d)
  for (const row of rows) {
    for (let i = 0; i < d; i++) {
      const share = (row[i]! - mean[i]!) / rows.length
      for (let j = 0; j < d; j++) covariance[i * d + j]! += share * (row[j]! - mean[j]!)
    }
  }
  const { values, vectors } = eigenOfSymmetric(covariance, d, { vectors: true })
  const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]!)
  return {
    mean,
    variances: order.map((i) => Math.max(values[i]!, 0)),
    axes: order.map((i) => vectors.subarray(i * d, (i + 1) * d)),
  }
}

function projectOnto(row: Float32Array, mean: Float64Array, axis: Float64Array): number {
  return axis.reduce((sum, value, i) => sum + value * (row[i]! - mean[i]!), 0)
}

export interface Projection {
  /** Coordinates of each row along the axes. */
  readonly points: readonly (readonly number[])[]
  /** Share of the variance along each axis, descending. */
  readonly shares: readonly number[]
}

/** Projects rows onto their first `count` principal components. */
export function projectRows(rows: Rows, count = 2): Projection {
  const { mean, variances, axes } = spectrumOf(rows)
  const total = variances.reduce((sum, value) => sum + value, 0)
  const kept = axes.slice(0, count)
  return {
    points: rows.map((row) => kept.map((axis) => projectOnto(row, mean, axis))),
    shares: variances.slice(0, count).map((value) => value / (total || 1)),
  }
}

export interface Measured {
  readonly rows: Rows
  /** The quantity to predict, one value per row. */
  readonly values: readonly number[]
}

/** Candidate ridge parameters, as shares of the largest variance. */
const ridges = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]

/**
 * Linear probe: fits values to rows by ridge regression and returns R² on unseen rows: 1 for perfect
 * prediction, 0 for predicting their mean. The ridge parameter is chosen by two-fold cross-validation on the
 * fitted rows.
 */
export function linearProbe(
  fitted: Measured,
  unseen: Measured,
): { readonly r2: number; readonly predicted: readonly number[] } {
  const half = fitted.values.length >> 1
  const first = slice(fitted, 0, half)
  const second = slice(fitted, half)
  const predictions = [predictor(first, second.rows), predictor(second, first.rows)] as const
  const errorOf = (ridge: number) =>
    squaredError(predictions[0](ridge), second.values) + squaredError(predictions[1](ridge), first.values)
  const errors = ridges.map(errorOf)
  const best = ridges[errors.indexOf(Math.min(...errors))] ?? 1
  const predicted = predictor(fitted, unseen.rows)(best)
  const center = meanOf(unseen.values)
  const spread = squaredError(
    unseen.values.map(() => center),
    unseen.values,
  )
  return { r2: 1 - squaredError(predicted, unseen.values) / spread, predicted }
}

function slice({ rows, values }: Measured, from: number, to?: number): Measured {
  return { rows: rows.slice(from, to), values: values.slice(from, to) }
}

/** Fits a ridge regression and returns its predictions for `rows` as a function of the ridge parameter. */
function predictor(fitted: Measured, rows: Rows): (ridge: number) => readonly number[] {
  const { mean, variances, axes } = spectrumOf(fitted.rows)
  const average = meanOf(fitted.values)
  const products = axes.map((axis) =>
    meanOf(fitted.rows.map((row, k) => projectOnto(row, mean, axis) * (fitted.values[k]! - average))),
  )
  const coordinates = rows.map((row) => axes.map((axis) => projectOnto(row, mean, axis)))
  return (ridge) => {
    const penalty = ridge * variances[0]! || 1
    const weights = products.map((product, i) => product / (variances[i]! + penalty))
    return coordinates.map((coordinate) =>
      coordinate.reduce((sum, value, i) => sum + value * weights[i]!, average),
    )
  }
}

function squaredError(predicted: readonly number[], values: readonly number[]): number {
  return meanOf(predicted.map((value, i) => (value - values[i]!) ** 2))
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
