// Sizes of dimensions. A size is a number or, in a graph traced for any size, a name ('h') or a monomial of
// names with a rational coefficient ('2*h', 'h*w/64'). Model code does no arithmetic on sizes; the shape
// rules do it here. Dividing a named size is assumed to be exact: the model's card declares the multiples.

import { RestoreError } from './errors.ts'

/** A dimension: a number, or the name of one that is known when a graph runs. */
export type Dim = number | string
/** Dimensions of a tensor. */
export type Shape = readonly Dim[]

interface Monomial {
  readonly numerator: number
  readonly denominator: number
  readonly names: readonly string[] // sorted, repeated for powers
}

function parse(dim: Dim): Monomial {
  if (typeof dim === 'number') return { numerator: dim, denominator: 1, names: [] }
  const [product = '', denominator = '1'] = dim.split('/')
  let numerator = 1
  const names: string[] = []
  for (const factor of product.split('*')) {
    if (/^\d+$/.test(factor)) numerator *= Number(factor)
    else names.push(factor)
  }
  return { numerator, denominator: Number(denominator), names: names.sort() }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

function format({ numerator, denominator, names }: Monomial): Dim {
  if (numerator === 0) return 0
  const divisor = greatestCommonDivisor(numerator, denominator)
  const top = numerator / divisor
  const bottom = denominator / divisor
  if (names.length === 0 && bottom === 1) return top
  const factors = top === 1 && names.length > 0 ? names : [String(top), ...names]
  return factors.join('*') + (bottom === 1 ? '' : `/${bottom}`)
}

export function multiplyDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b
  const x = parse(a)
  const y = parse(b)
  return format({
    numerator: x.numerator * y.numerator,
    denominator: x.denominator * y.denominator,
    names: [...x.names, ...y.names].sort(),
  })
}

/** a / b; undefined if b does not divide a. */
export function divideDims(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a % b === 0 ? a / b : undefined
  const x = parse(a)
  const y = parse(b)
  const names = [...x.names]
  for (const name of y.names) {
    const at = names.indexOf(name)
    if (at < 0) return undefined
    names.splice(at, 1)
  }
  const result = format({
    numerator: x.numerator * y.denominator,
    denominator: x.denominator * y.numerator,
    names,
  })
  return typeof result === 'string' && names.length === 0 ? undefined : result
}

/** Number of elements of a shape; symbolic if a size is named. */
export function productOfDims(shape: Shape): Dim {
  let product: Dim = 1
  for (const dim of shape)
    product =
      typeof product === 'number' && typeof dim === 'number' ? product * dim : multiplyDims(product, dim)
  return product
}

/** Factors from which a graph computes a named size: numerator · names / denominator. */
export function factorsOfDim(dim: Dim): { numerator: number; denominator: number; names: readonly string[] } {
  return parse(dim)
}

/** The size as a number; throws if it is a name, citing the op that needs it. */
export function fixedDim(op: string, dim: Dim): number {
  if (typeof dim === 'number') return dim
  throw new RestoreError(
    'trace',
    `${op}: needs a fixed size, but '${dim}' is known only at run time; export with a size (HxW)`,
  )
}

export function fixedShape(op: string, shape: Shape): readonly number[] {
  return shape.map((dim) => fixedDim(op, dim))
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(' ')}]`
}
