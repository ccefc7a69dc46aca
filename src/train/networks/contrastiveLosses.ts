// Contrastive losses of IPT's pre-training: tokens of one image are positives, tokens of other images
// negatives. Both losses are quadratic in b·n, so draw a subset of the tokens first (`sampleTokens`).

import { RestoreError } from '../../core/errors.ts'
import { inverseNorm } from '../../core/functional.ts'
import { constant } from '../../core/hostBackend.ts'
import { permutation, type Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import { noGrad } from '../../torch/backend.ts'

/** Draws `count` tokens of every image, at the same positions in each: [b n d] -> [b count d]. */
export function sampleTokens(features: Tensor, count: number, random: Random): Tensor {
  const b = features.size(0)
  const n = features.size(1)
  const d = features.size(2)
  if (count >= n) return features
  const chosen = permutation(n, random).slice(0, count)
  const table = features.transpose(0, 1).reshape([n, b * d])
  return matrix([count, n], (i, j) => (chosen[i] === j ? 1 : 0))
    .matmul(table)
    .reshape([count, b, d])
    .transpose(0, 1)
}

/**
 * Equation 5 of IPT (arXiv:2012.00364): the mean over i, i′ and j of
 * −log(exp d(f_ji, f_ji′) / Σ_{k≠j} exp d(f_ji, f_ki′)), where d is the cosine and f are the token features
 * [b n d]. May be negative, because the denominator does not include the numerator.
 */
export function iptContrast(features: Tensor): Tensor {
  const { b, n } = checkedSizes(features)
  const { flat, unit } = normalized(features)
  const positives = unit.matmul(unit.transpose(1, 2)).mean()
  const all = flat.matmul(flat.transpose(0, 1)).exp().reshape([b, n, b, n])
  const negatives = all.mul(matrix([b, b], (j, k) => (j === k ? 0 : 1), [b, 1, b, 1])).sum([2])
  return negatives.log().mean().sub(positives)
}

/**
 * Supervised contrastive loss (arXiv:2004.11362, equation 2) as in the released training of IPT
 * (mindspore-ai/models, research/cv/IPT). Every token of [b n d] is an anchor; the other tokens of its image
 * are its positives.
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
    // Avoids log 0, as in the release.
    .add(1e-8)
    .log()
  return denominators.sub(shifted.mul(positives).sum([1])).mean()
}

function checkedSizes(features: Tensor): { readonly b: number; readonly n: number } {
  const b = features.size(0)
  const n = features.size(1)
  if (b >= 2 && n >= 2) return { b, n }
  throw new RestoreError('usage', `contrast: expected at least 2 images of 2 tokens each, got ${b} of ${n}`)
}

/** Normalizes features to unit length: `unit` [b n d], and `flat` [b·n d]. */
function normalized(features: Tensor): { readonly unit: Tensor; readonly flat: Tensor } {
  const unit = features.mul(inverseNorm(features, -1))
  return { unit, flat: unit.reshape([features.size(0) * features.size(1), features.size(2)]) }
}

/** Builds a constant [rows columns] matrix, optionally reshaped. */
function matrix(
  [rows, columns]: readonly [number, number],
  value: (row: number, column: number) => number,
  shape: readonly number[] = [rows, columns],
): Tensor {
  const values = new Float32Array(rows * columns)
  for (let i = 0; i < values.length; i++) values[i] = value(Math.floor(i / columns), i % columns)
  return constant(values, shape)
}
