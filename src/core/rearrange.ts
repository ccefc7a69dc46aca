// The part of einops' rearrange (https://einops.rocks) that models need: 'b (heads c) n -> b heads c n'.

import { type Dim, divideDims, formatShape, multiplyDims, sameShape } from './dims.ts'
import { RestoreError } from './errors.ts'
import type { Tensor } from './tensor.ts'

interface Pattern {
  readonly left: readonly (readonly string[])[]
  readonly right: readonly (readonly string[])[]
  readonly permutation: readonly number[]
}

const parsed = new Map<string, Pattern>()

function parseSide(side: string): string[][] {
  return (side.match(/\([^)]*\)|\S+/g) ?? []).map((group) =>
    group.replace(/[()]/g, ' ').trim().split(/\s+/).filter(Boolean),
  )
}

function parse(pattern: string): Pattern {
  const known = parsed.get(pattern)
  if (known) return known
  const [leftText, rightText] = pattern.split('->')
  const left = parseSide(leftText ?? '')
  const right = parseSide(rightText ?? '')
  const names = left.flat()
  const permutation = right.flat().map((name) => names.indexOf(name))
  const isValid =
    rightText !== undefined &&
    new Set(names).size === names.length &&
    permutation.length === names.length &&
    new Set(permutation).size === names.length
  if (!isValid || permutation.includes(-1)) {
    throw new RestoreError('shape', `rearrange: expected every name once on each side, got '${pattern}'`)
  }
  const result = { left, right, permutation }
  parsed.set(pattern, result)
  return result
}

/** Splits, reorders and joins dimensions by name; `sizes` gives those that the shape does not determine. */
export function rearrange(x: Tensor, pattern: string, sizes: Readonly<Record<string, Dim>> = {}): Tensor {
  const { left, right, permutation } = parse(pattern)
  if (left.length !== x.shape.length) {
    throw new RestoreError(
      'shape',
      `rearrange '${pattern}': expected ${left.length} dimensions, got ${formatShape(x.shape)}`,
    )
  }
  const split = left.flatMap((group, i) => splitDim(pattern, group, x.shape[i] ?? 1, sizes))
  const order = permutation.map((from) => split[from] ?? 1)
  let at = 0
  const joined = right.map((group) => group.reduce<Dim>((size) => multiplyDims(size, order[at++] ?? 1), 1))

  let y = sameShape(split, x.shape) ? x : x.reshape(split)
  if (permutation.some((from, to) => from !== to)) y = y.permute(permutation)
  return sameShape(joined, order) ? y : y.reshape(joined)
}

/** Sizes of the names in one group; at most one is inferred. */
function splitDim(
  pattern: string,
  group: readonly string[],
  size: Dim,
  sizes: Readonly<Record<string, Dim>>,
): Dim[] {
  let rest: Dim | undefined = size
  for (const name of group) {
    const known: Dim | undefined = sizes[name]
    if (known !== undefined && rest !== undefined) rest = divideDims(rest, known)
  }
  const unknown = group.filter((name) => sizes[name] === undefined)
  if (rest === undefined || unknown.length > 1 || (unknown.length === 0 && rest !== 1)) {
    const factors = group.map((name) => `${name}=${sizes[name] ?? '?'}`).join(' ')
    const reason =
      unknown.length > 1 ? 'which needs the sizes of all names but one' : 'which does not divide evenly'
    throw new RestoreError('shape', `rearrange '${pattern}': expected ${size} = (${factors}), ${reason}`)
  }
  return group.map((name) => sizes[name] ?? rest ?? 1)
}
