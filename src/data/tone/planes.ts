// Windows over one plane [h w]: means and least values, windows cut off at the edges of the picture.

export interface Plane {
  readonly width: number
  readonly height: number
  /** [h w]. */
  readonly values: Float32Array
}

/** Fills a plane of the size of another. */
export function planeLike({ width, height }: Omit<Plane, 'values'>, value: (i: number) => number): Plane {
  const values = new Float32Array(width * height)
  for (let i = 0; i < values.length; i++) values[i] = value(i)
  return { width, height, values }
}

/** Mean over windows of 2·radius + 1 pixels each way. */
export function boxMean(plane: Plane, radius: number): Plane {
  return transposed(meanOfRows(transposed(meanOfRows(plane, radius)), radius))
}

/** Least value in windows of 2·radius + 1 pixels each way. */
export function boxMinimum(plane: Plane, radius: number): Plane {
  return transposed(leastOfRows(transposed(leastOfRows(plane, radius)), radius))
}

function meanOfRows({ width, height, values }: Plane, radius: number): Plane {
  const out = new Float32Array(values.length)
  const sums = new Float64Array(width + 1)
  for (let y = 0; y < height; y++) {
    const row = y * width
    for (let x = 0; x < width; x++) sums[x + 1] = sums[x]! + values[row + x]!
    for (let x = 0; x < width; x++) {
      const left = Math.max(x - radius, 0)
      const right = Math.min(x + radius + 1, width)
      out[row + x] = (sums[right]! - sums[left]!) / (right - left)
    }
  }
  return { width, height, values: out }
}

/** By doubling: the least of 2n values from the least of n and of the n after. */
function leastOfRows({ width, height, values }: Plane, radius: number): Plane {
  const out = new Float32Array(values.length)
  const size = 2 * radius + 1
  const line = new Float32Array(width + 2 * radius)
  for (let row = 0; row < width * height; row += width) {
    line.fill(Number.POSITIVE_INFINITY)
    line.set(values.subarray(row, row + width), radius)
    let length = 1
    for (; 2 * length <= size; length *= 2)
      for (let i = 0; i + length < line.length; i++)
        if (line[i + length]! < line[i]!) line[i] = line[i + length]!
    const rest = size - length
    for (let x = 0; x < width; x++) {
      const [a, b] = [line[x]!, line[x + rest]!]
      out[row + x] = a < b ? a : b
    }
  }
  return { width, height, values: out }
}

function transposed({ width, height, values }: Plane): Plane {
  const out = new Float32Array(values.length)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) out[x * height + y] = values[y * width + x]!
  return { width: height, height: width, values: out }
}

/**
 * Bilinear sampling positions of a line of `to` pixels in a line of `from`, both over the same length;
 * edges repeated.
 */
export interface Positions {
  readonly first: Int32Array
  /** Share of the sample after `first`. */
  readonly share: Float32Array
}

/** @param part the pixels of the longer line that are wanted */
export function positionsIn(
  from: number,
  to: number,
  part: { readonly start: number; readonly length: number },
): Positions {
  const first = new Int32Array(part.length)
  const share = new Float32Array(part.length)
  for (let i = 0; i < part.length; i++) {
    const at = Math.min(Math.max(((part.start + i + 0.5) * from) / to - 0.5, 0), from - 1)
    first[i] = Math.min(Math.floor(at), Math.max(from - 2, 0))
    share[i] = at - first[i]!
  }
  return { first, share }
}

/** Enlarges a plane bilinearly. */
export function enlarged({ width, height, values }: Plane, size: Omit<Plane, 'values'>): Plane {
  const down = positionsIn(height, size.height, { start: 0, length: size.height })
  const across = positionsIn(width, size.width, { start: 0, length: size.width })
  const out = new Float32Array(size.width * size.height)
  for (let y = 0; y < size.height; y++) {
    const line = blendedRow({ width, height, values }, down.first[y]!, down.share[y]!)
    for (let x = 0; x < size.width; x++) out[y * size.width + x] = sampled(line, across, x)
  }
  return { ...size, values: out }
}

/** The row between rows `y` and `y + 1` of a plane. */
export function blendedRow({ width, height, values }: Plane, y: number, share: number): Float32Array {
  const next = Math.min(y + 1, height - 1) * width
  const line = new Float32Array(width)
  for (let x = 0; x < width; x++) line[x] = values[y * width + x]! * (1 - share) + values[next + x]! * share
  return line
}

/** Value of a line at position `i`. */
export function sampled(line: Float32Array, { first, share }: Positions, i: number): number {
  const at = first[i]!
  const value = line[at]!
  return value + share[i]! * ((line[at + 1] ?? value) - value)
}
