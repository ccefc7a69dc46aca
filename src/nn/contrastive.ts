// CLIP's contrastive loss (arXiv:2103.00020, figure 3), and a variant for repeated texts.

import { RestoreError } from '../core/errors.ts'
import { inverseNorm } from '../core/functional.ts'
import { constant } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'

/** Scales features [b d] to length 1. */
export function normalized(features: Tensor): Tensor {
  return features.mul(inverseNorm(features, -1))
}

/** log Σ exp over a dimension, kept as size 1. */
function logSumExp(x: Tensor, dim: number): Tensor {
  const largest = x.amax([dim], { keepDim: true })
  return x.sub(largest).exp().sum([dim], { keepDim: true }).log().add(largest)
}

/** Mean cross entropy of logits [b n k] and labels 0 … k − 1, int64 [b n]. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const { b, n } = logits.axes('b n k')
  return logSumExp(logits, 2)
    .sub(logits.gather(2, labels.reshape([b, n, 1])))
    .mean()
}

/** Similarities [b k] of normalized features [b d] and [k d], times exp(logit scale). */
export function similarities(images: Tensor, texts: Tensor, scale: Tensor): Tensor {
  return images.matmul(texts.transpose(0, 1)).mul(scale)
}

/**
 * Symmetric contrastive loss: the mean cross entropy of images to texts and of texts to
 * images, where image i matches text i. Takes normalized features [b d] of each and
 * exp(logit scale). Duplicate texts count as mismatches.
 */
export function contrastiveLoss(images: Tensor, texts: Tensor, scale: Tensor): Tensor {
  const logits = similarities(images, texts, scale)
  const right = images.mul(texts).sum([1], { keepDim: true }).mul(scale) // [b 1]
  return logSumExp(logits, 1).add(logSumExp(logits, 0).transpose(0, 1)).mul(0.5).sub(right).mean()
}

/**
 * Contrastive loss of images [b d] and distinct texts [k d], where image i matches text labels[i]; each text
 * matches all its images. Equals `contrastiveLoss` if every text has exactly one image.
 */
export function sharedTextLoss(
  images: Tensor,
  texts: Tensor,
  { labels, scale }: { readonly labels: readonly number[]; readonly scale: Tensor },
): Tensor {
  const b = images.size(0)
  const k = texts.size(0)
  if (labels.length !== b || labels.some((label) => !Number.isInteger(label) || label < 0 || label >= k)) {
    throw new RestoreError(
      'usage',
      `shared text loss: expected ${b} labels from 0 to ${k - 1}, got ${labels.join(', ')}`,
    )
  }
  const belongs = new Float32Array(b * k)
  const imagesOf = new Float32Array(k)
  for (const [i, label] of labels.entries()) {
    belongs[i * k + label] = 1
    imagesOf[label] = (imagesOf[label] ?? 0) + 1
  }
  const logits = similarities(images, texts, scale)
  const right = logits.mul(constant(belongs, [b, k])).sum()
  const textTerm = logSumExp(logits, 0)
    .mul(constant(imagesOf, [1, k]))
    .sum()
  return logSumExp(logits, 1).sum().add(textTerm).mul(0.5).sub(right).div(b)
}
