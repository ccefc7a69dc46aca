// Contrastive losses over the tokens of images, as IPT is pre-trained with: tokens of one image belong together.
// Both are quadratic in b·n: draw some tokens first (`someTokens`).

import { RestoreError } from '../../core/errors.ts'
import { inverseNorm } from '../../core/functional.ts'
import { constant } from '../../core/hostBackend.ts'
import { permutation, type Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import { noGrad } from '../../torch/backend.ts'

/** `count` of the tokens of every image, the same ones of each: [b n d] -> [b count d]. */
export function someTokens(features: Tensor, count: number, random: Random): Tensor {
  const [b, n, d] = [features.size(0), features.size(1), features.size(2)]
  if (count >= n) return features
  const chosen = permutation(n, random).slice(0, count)
  const table = features.transpose(0, 1).reshape([n, b * d])
  return matrix([count, n], (i, j) => (chosen[i] === j ? 1 : 0))
    .matmul(table)
    .reshape([count, b, d])
    .transpose(0, 1)
}

/**
 * Equation 5 of IPT (arXiv:2012.00364): the mean over i, i′ and j of −log(exp d(f_ji, f_ji′) / Σ_{k≠j} exp d(f_ji, f_ki′)) with d
 * the cosine, of token features f [b n d] of b images. May be negative, as the denominator does not hold the numerator.
 */
export function iptContrast(features: Tensor): Tensor {
  const { b, n } = checkedSizes(features)
  const { flat, unit } = normalized(features)
  const together = unit.matmul(unit.transpose(1, 2)).mean()
  const all = flat.matmul(flat.transpose(0, 1)).exp().reshape([b, n, b, n])
  const others = all.mul(matrix([b, b], (j, k) => (j === k ? 0 : 1), [b, 1, b, 1])).sum([2])
  return others.log().mean().sub(together)
}

/**
 * Supervised contrast (arXiv:2004.11362, equation 2) as the released training of IPT has it (mindspore-ai/models,
 * research/cv/IPT): every token of [b n d] is an anchor, the other tokens of its image are its positives.
 */
export function supervisedContrast(features: Tensor, temperature = 0.07): Tensor {
  const { b, n } = checkedSizes(features)
  const { flat } = normalized(features)
  const logits = flat.matmul(flat.transpose(0, 1)).mul(1 / temperature)
  const shifted = logits.sub(noGrad(() => logits.amax([1], { keepDim: true })))
  const size = b * n
  const others = matrix([size, size], (i, p) => (i === p ? 0 : 1))
  const positives = matrix([size, size], (i, p) =>
    i !== p && Math.floor(i / n) === Math.floor(p / n) ? 1 / (n - 1) : 0,
  )
  const denominators = shifted
    .exp()
    .mul(others)
    .sum([1])
    // The release's guard against log 0.
    .add(1e-8)
    .log()
  return denominators.sub(shifted.mul(positives).sum([1])).mean()
}

function checkedSizes(features: Tensor): { readonly b: number; readonly n: number } {
  const [b, n] = [features.size(0), features.size(1)]
  if (b >= 2 && n >= 2) return { b, n }
  throw new RestoreError('usage', `contrast: expected at least 2 images of 2 tokens each, got ${b} of ${n}`)
}

/** Features of length 1, by image and all in a row. */
function normalized(features: Tensor): { readonly unit: Tensor; readonly flat: Tensor } {
  const unit = features.mul(inverseNorm(features, -1))
  return { unit, flat: unit.reshape([features.size(0) * features.size(1), features.size(2)]) }
}

/** A constant [rows columns], or with its values in another shape. */
function matrix(
  [rows, columns]: readonly [number, number],
  value: (row: number, column: number) => number,
  shape: readonly number[] = [rows, columns],
): Tensor {
  const values = new Float32Array(rows * columns)
  for (let i = 0; i < values.length; i++) values[i] = value(Math.floor(i / columns), i % columns)
  return constant(values, shape)
}
