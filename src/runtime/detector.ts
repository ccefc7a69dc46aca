// Detects degradations by comparing DA-CLIP's embedding of a picture with texts (arXiv:2310.01018, section
// 3.1).

import { availableParallelism } from 'node:os'
import { type Checkpoint, loadTensor } from '../checkpoints/checkpoint.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { type TensorData, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import type { RunOptions } from '../core/session.ts'
import { clipImage } from '../data/clip/clipImage.ts'
import { withoutPadding } from '../data/clip/tokenizer.ts'
import { clipTokenizer } from '../data/clip/vocabulary.ts'
import { crop, type Image, pixelsToPlanes } from '../data/image.ts'
import { degradationWords, maxLogitScale } from '../models/daclip/words.ts'
import type { Guidance } from '../models/networkDescriptor.ts'
import { detection } from '../models/tasks.ts'
import { describeNetwork } from '../registry/loadModel.ts'
import { type ReadOptions, type RestoreInput, readInput } from './readInput.ts'
import { resolveModel } from './resolveModel.ts'
import type { ProcessSession } from './session/computeProcess.ts'
import { type DeviceRequest, openOnDevice, placementsFor } from './session/devices.ts'

/** Options of {@link createDetector}. */
export interface DetectorOptions extends DeviceRequest {
  /** Id of a model card. @default 'light-detect' */
  readonly model?: string | undefined
  /** DA-CLIP checkpoint to use instead of packaged weights. */
  readonly weights?: string | undefined
  /** Two or more different texts to compare with. @default the ten words of DA-CLIP */
  readonly prompts?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/** Probability that a picture has a degradation. */
export interface Finding {
  /** One of the prompts. */
  readonly degradation: string
  /** 0..1; the probabilities of all prompts sum to 1. */
  readonly probability: number
}

/** Guidance of a DA-CLIP. */
type DaClipGuidance = Extract<Guidance, { readonly kind: 'embeddings' }>

/** Prompts, ready to compare pictures with. */
interface EmbeddedPrompts {
  readonly prompts: readonly string[]
  /** Embeddings of the prompts. */
  readonly texts: readonly Float32Array[]
  /** Factor on similarities. */
  readonly scale: number
}

interface OpenDetector {
  readonly session: ProcessSession
  readonly imageSide: number
  readonly embedded: EmbeddedPrompts
  readonly notes: readonly string[]
}

/** Detects degradations with a DA-CLIP, which stays open until `close`. */
export class Detector implements AsyncDisposable {
  readonly #open: OpenDetector

  private constructor(open: OpenDetector) {
    this.#open = open
  }

  /** Checks that the weights support the prompts, then opens them in a separate process. */
  static async open(options: DetectorOptions): Promise<Detector> {
    const prompts = checkPrompts(options.prompts ?? degradationWords)
    const model = options.model ?? (options.weights === undefined ? detection.model : undefined)
    const { weights } = resolveModel({ model, weights: options.weights })
    const checkpoint = readCheckpoint(weights)
    const clip = checkDetector(weights, checkpoint)
    const ids = tokenize(prompts, clip)
    const notes = noteUnknownWords(prompts, unknownTokens(checkpoint, ids))
    const setup = { weights, options: {}, threads: availableParallelism() }
    const { session } = await openOnDevice(placementsFor(options), setup, { signal: options.signal })
    try {
      const texts = rowsOf((await session.part('text').run({ ids }, options)).textFeatures)
      const embedded = { texts, prompts, scale: scaleOf(checkpoint) }
      return new Detector({ session, imageSide: clip.imageSide, embedded, notes })
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** Notes on words in the prompts that the weights have not learned and therefore ignore. */
  get notes(): readonly string[] {
    return this.#open.notes
  }

  /** Estimates how likely each prompt describes a picture, most likely first. */
  async run(input: RestoreInput, options: ReadOptions & RunOptions = {}): Promise<readonly Finding[]> {
    const { pixels } = await readInput(input, options)
    return this.runPlanes(pixelsToPlanes(pixels).image, options)
  }

  /** Like `run`, for color or gray planes [c h w] in 0..1. */
  async runPlanes(image: Image, options: RunOptions = {}): Promise<readonly Finding[]> {
    const { session, imageSide, embedded } = this.#open
    const features: Float32Array[] = []
    for (const square of squaresOf(image)) {
      const { degradation } = await session.run({ image: clipImage(square, imageSide) }, options)
      features.push(...rowsOf(degradation))
    }
    return rank(features, embedded)
  }

  /** Ends the process. */
  async close(): Promise<void> {
    await this.#open.session.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/**
 * Opens a DA-CLIP to detect which degradations pictures have.
 * @throws RestoreError 'usage', 'checkpoint', 'environment'
 * @example
 * await using detector = await createDetector()
 * const [{ degradation, probability }] = await detector.run('photo.jpg')
 */
export function createDetector(options: DetectorOptions = {}): Promise<Detector> {
  return Detector.open(options)
}

function checkPrompts(prompts: readonly string[]): readonly string[] {
  const isWhole = prompts.length >= 2 && prompts.every((prompt) => prompt.trim() !== '')
  if (isWhole && new Set(prompts).size === prompts.length) return prompts
  throw new RestoreError(
    'usage',
    `prompts: expected two or more different texts, such as 'noisy', 'hazy' and 'a clean photo', got '${prompts.join(',')}'`,
  )
}

/** Describes what a DA-CLIP supplies. @throws RestoreError 'usage' for another network */
function checkDetector(weights: string, checkpoint: Checkpoint): DaClipGuidance {
  const { id, role } = describeNetwork(checkpoint)
  if (role.kind === 'guides' && role.guidance.kind === 'embeddings') return role.guidance
  throw new RestoreError(
    'usage',
    `${weights}: expected weights of daclip, which detects degradations, got ${id}; use daclip_ViT-B-32.pt or ${detection.model}`,
  )
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

/** Limits the squares of very long pictures, such as strips of film or text. */
const maxSquares = 15

/**
 * Cuts a picture into squares from end to end, because CLIP alone would see only the middle one. They overlap
 * by at least half where 15 squares allow it.
 */
export function squaresOf(image: Image): readonly Image[] {
  const { width, height } = image
  const side = Math.min(width, height)
  const last = Math.min(2 * Math.ceil(Math.max(width, height) / side) - 1, maxSquares) - 1
  return Array.from({ length: last + 1 }, (_, i) => {
    const [top, left] = [height - side, width - side].map((room) =>
      Math.round((room * i) / Math.max(last, 1)),
    )
    return crop(image, top ?? 0, left ?? 0, side, side)
  })
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
function rowsOf(features: TensorData | undefined): readonly Float32Array[] {
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
