// What an encoder's representations hold: their two main directions, and how well a linear function of them tells a quantity.

import { RestoreError } from '../../core/errors.ts'
import { eigenOfSymmetric } from '../numerics/symmetric.ts'

/** Feature vectors of one length, a row for each picture. */
export type Rows = readonly Float32Array[]

interface Spectrum {
  readonly mean: Float64Array
  /** Falling. */
  readonly variances: readonly number[]
  /** Directions of length 1 in the same order. */
  readonly axes: readonly Float64Array[]
}

function spectrumOf(rows: Rows): Spectrum {
  const d = rows[0]?.length ?? 0
  if (rows.length < 2 || d === 0 || rows.some((row) => row.length !== d)) {
    throw new RestoreError(
      'usage',
      `representations: expected at least 2 of one length, got ${rows.length} of ${[...new Set(rows.map((row) => row.length))]}`,
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

function along(row: Float32Array, mean: Float64Array, axis: Float64Array): number {
  return axis.reduce((sum, value, i) => sum + value * (row[i]! - mean[i]!), 0)
}

export interface Projection {
  /** Where each row lies along the axes. */
  readonly points: readonly (readonly number[])[]
  /** Share of the variance that each axis holds, falling. */
  readonly shares: readonly number[]
}

/** Principal components: rows along the `count` directions in which they differ most. */
export function projectRows(rows: Rows, count = 2): Projection {
  const { mean, variances, axes } = spectrumOf(rows)
  const total = variances.reduce((sum, value) => sum + value, 0)
  const kept = axes.slice(0, count)
  return {
    points: rows.map((row) => kept.map((axis) => along(row, mean, axis))),
    shares: variances.slice(0, count).map((value) => value / (total || 1)),
  }
}

export interface Measured {
  readonly rows: Rows
  /** The quantity to tell, one for each row. */
  readonly values: readonly number[]
}

/** Shares of the largest variance that may regularise a fit. */
const ridges = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]

/**
 * A linear probe: fits the values from the rows by ridge regression, predicts those of other rows and gives R² there: 1 for all
 * right, 0 for what the mean of the other values would give. Each half of the fitted rows chooses how much to regularise the other.
 */
export function linearProbe(
  fitted: Measured,
  unseen: Measured,
): { readonly r2: number; readonly predicted: readonly number[] } {
  const half = fitted.values.length >> 1
  const first = part(fitted, 0, half)
  const second = part(fitted, half)
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

function part({ rows, values }: Measured, from: number, to?: number): Measured {
  return { rows: rows.slice(from, to), values: values.slice(from, to) }
}

/** Predicts values of `rows` from those fitted, for any ridge. */
function predictor(fitted: Measured, rows: Rows): (ridge: number) => readonly number[] {
  const { mean, variances, axes } = spectrumOf(fitted.rows)
  const average = meanOf(fitted.values)
  const products = axes.map((axis) =>
    meanOf(fitted.rows.map((row, k) => along(row, mean, axis) * (fitted.values[k]! - average))),
  )
  const places = rows.map((row) => axes.map((axis) => along(row, mean, axis)))
  return (ridge) => {
    const floor = ridge * variances[0]! || 1
    const weights = products.map((product, i) => product / (variances[i]! + floor))
    return places.map((place) => place.reduce((sum, value, i) => sum + value * weights[i]!, average))
  }
}

function squaredError(predicted: readonly number[], values: readonly number[]): number {
  return meanOf(predicted.map((value, i) => (value - values[i]!) ** 2))
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
