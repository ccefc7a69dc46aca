// Embeds texts by a DA-CLIP, to compare pictures with.

import { type Checkpoint, loadTensor } from '../checkpoints/checkpoint.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import { type TensorData, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import type { RunOptions } from '../core/session.ts'
import { withoutPadding } from '../data/clip/tokenizer.ts'
import { clipTokenizer } from '../data/clip/vocabulary.ts'
import { type EmbeddedPrompts, rowsOf } from '../models/daclip/wordRanking.ts'
import { degradationWords, maxLogitScale } from '../models/daclip/words.ts'
import type { Guidance } from '../models/networkDescriptor.ts'
import type { SessionWithParts } from './session/networkSessions.ts'

/** Guidance of a DA-CLIP. */
export type DaClipGuidance = Extract<Guidance, { readonly kind: 'embeddings' }>

/** Texts that a DA-CLIP can embed. */
export interface Prompts {
  readonly prompts: readonly string[]
  /** Token ids [prompts n], without padding. */
  readonly ids: TensorData
  /** Notes on words that the weights have not learned and therefore ignore. */
  readonly notes: readonly string[]
  /** Factor on similarities. */
  readonly scale: number
}

/** Checks texts before anything opens. @throws RestoreError 'usage' for texts that are too long or unknown */
export function preparePrompts(
  prompts: readonly string[],
  checkpoint: Checkpoint,
  clip: DaClipGuidance,
): Prompts {
  const ids = tokenize(prompts, clip)
  const notes = noteUnknownWords(prompts, unknownTokens(checkpoint, ids))
  return { prompts, ids, notes, scale: scaleOf(checkpoint) }
}

/** Embeds texts by an open DA-CLIP. */
export async function embedPrompts(
  session: SessionWithParts,
  { prompts, ids, scale }: Prompts,
  options: RunOptions,
): Promise<EmbeddedPrompts> {
  const texts = rowsOf((await session.part('text').run({ ids }, options)).textFeatures)
  return { texts, prompts, scale }
}

/** Token ids [prompts n], without padding. @throws RestoreError 'usage' for texts that would be truncated */
function tokenize(prompts: readonly string[], { contextLength }: DaClipGuidance): TensorData {
  const { ids, isCut } = clipTokenizer().tokenize(prompts, { contextLength })
  const long = prompts[isCut.indexOf(true)]
  if (long === undefined) return withoutPadding(ids)
  const count = clipTokenizer().encode(long).length
  throw new RestoreError(
    'usage',
    `prompts: expected texts of at most ${contextLength - 2} tokens, got ${count} in '${long.slice(0, 40)}…'; shorten it`,
  )
}

/** Tokens of each prompt that training never reached: their rows in the token embedding are still zero. */
function unknownTokens({ tensors }: Checkpoint, ids: TensorData): readonly (readonly number[])[] {
  const stored = tensors.get('clip.token_embedding.weight')
  if (!stored) return []
  const values = toFloat32(loadTensor(stored))
  const width = stored.shape[1] ?? 1
  const { startId, endId } = clipTokenizer()
  const [rows = 0, n = 0] = ids.shape
  const all = Array.from(viewAs(ids.bytes, BigInt64Array), Number)
  return Array.from({ length: rows }, (_, row) =>
    all.slice(row * n, (row + 1) * n).filter((id) => {
      if (id === 0 || id === startId || id === endId) return false
      return values.subarray(id * width, (id + 1) * width).every((value) => value === 0)
    }),
  )
}

/** Notes unknown words. @throws RestoreError 'usage' for a prompt without known words */
function noteUnknownWords(prompts: readonly string[], unknown: readonly (readonly number[])[]): string[] {
  const { encode, decode } = clipTokenizer()
  return unknown.flatMap((tokens, i) => {
    const prompt = prompts[i]!
    if (tokens.length === 0) return []
    const words = decode(tokens).trim()
    if (tokens.length < encode(prompt).length)
      return [`'${prompt}': these weights have not learned '${words}', which is ignored`]
    throw new RestoreError(
      'usage',
      `prompts: expected words that these weights have learned, such as ${degradationWords.slice(0, 4).join(', ')}, got '${prompt}'; a DA-CLIP with CLIP's own text tower knows all words`,
    )
  })
}

/** Trained factor on similarities: 100 in published weights, which is also the limit. */
function scaleOf({ tensors }: Checkpoint): number {
  const stored = tensors.get('logit_scale')
  const [logarithm = maxLogitScale] = stored ? toFloat32(loadTensor(stored)) : []
  return Math.exp(Math.min(logarithm, maxLogitScale))
}
