// Random numbers for data and degradations: streams that a seed determines, the same on every platform and for every number of workers.

/** A stream of random numbers. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number
  /** Normal with mean 0 and deviation 1. */
  normal(): number
  /** Fills with independent normal numbers, mean 0 and deviation 1; the fast way for images. */
  fillNormal(values: Float32Array): void
  /** A whole number, uniform in [0, below). */
  integer(below: number): number
  /** An independent stream that this one and `key` determine; does not advance this one. */
  fork(key: number): Random
}
