// 3 × 3 matrices between linear RGB and XYZ.

/** Nine numbers, row by row. */
export type Matrix = readonly number[]

export function multiply(a: Matrix, b: Matrix): Matrix {
  return Array.from({ length: 9 }, (_, i) => {
    const row = i - (i % 3)
    return a[row]! * b[i % 3]! + a[row + 1]! * b[3 + (i % 3)]! + a[row + 2]! * b[6 + (i % 3)]!
  })
}

/** Multiplies a matrix by a column of three numbers. */
export function apply(matrix: Matrix, [x = 0, y = 0, z = 0]: readonly number[]): readonly number[] {
  return [0, 3, 6].map((row) => matrix[row]! * x + matrix[row + 1]! * y + matrix[row + 2]! * z)
}

/** Inverts by cofactors; the numbers are not finite where the matrix is singular. */
export function invert([a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0]: Matrix): Matrix {
  const first = e * i - f * h
  const second = f * g - d * i
  const third = d * h - e * g
  const determinant = a * first + b * second + c * third
  return [
    ...[first, c * h - b * i, b * f - c * e],
    ...[second, a * i - c * g, c * d - a * f],
    ...[third, b * g - a * h, a * e - b * d],
  ].map((value) => value / determinant)
}

/** Multiplies each column by its factor. */
export function scaleColumns(matrix: Matrix, factors: readonly number[]): Matrix {
  return matrix.map((value, i) => value * factors[i % 3]!)
}
