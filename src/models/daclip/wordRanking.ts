// Ranks words by how well DA-CLIP's embedding of a picture agrees with theirs (arXiv:2310.01018, section 3.1).

import { type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'

/** Probability that a picture has a degradation. */
export interface Finding {
  /** One of the prompts. */
  readonly degradation: string
  /** 0..1; the probabilities of all prompts sum to 1. */
  readonly probability: number
}

/** Prompts, ready to compare pictures with. */
export interface EmbeddedPrompts {
  readonly prompts: readonly string[]
  /** Embeddings of the prompts. */
  readonly texts: readonly Float32Array[]
  /** Factor on similarities. */
  readonly scale: number
}

/** Ranks prompts by their mean probability over the squares of an image, each given by its features. */
export function rank(
  squares: readonly Float32Array[],
  { texts, prompts, scale }: EmbeddedPrompts,
): readonly Finding[] {
  const likely = squares.map((features) => softmax(texts.map((text) => scale * cosine(features, text))))
  const mean = (i: number) => likely.reduce((sum, values) => sum + (values[i] ?? 0), 0) / likely.length
  return prompts
    .map((degradation, i) => ({ degradation, probability: mean(i) }))
    .sort((a, b) => b.probability - a.probability)
}

function softmax(logits: readonly number[]): readonly number[] {
  const largest = Math.max(...logits)
  const weights = logits.map((logit) => Math.exp(logit - largest))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

function cosine(a: Float32Array, b: Float32Array): number {
  let product = 0
  let squaresOfA = 0
  let squaresOfB = 0
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0
    product += value * other
    squaresOfA += value * value
    squaresOfB += other * other
  }
  return product / Math.sqrt(squaresOfA * squaresOfB)
}

/** Rows of a matrix of features. @throws RestoreError 'numeric' unless it is finite float32 */
export function rowsOf(features: TensorData | undefined): readonly Float32Array[] {
  if (features?.dtype !== 'float32')
    throw new RestoreError('numeric', `detect: expected float32 features, got ${features?.dtype ?? 'none'}`)
  const [rows = 0, d = 0] = features.shape
  const values = viewAs(features.bytes, Float32Array)
  if (!values.every(Number.isFinite))
    throw new RestoreError(
      'numeric',
      'detect: expected finite features, got NaN or infinity; the weights may be damaged',
    )
  return Array.from({ length: rows }, (_, i) => values.subarray(i * d, (i + 1) * d))
}
