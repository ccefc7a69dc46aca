// Which degradations a picture has, by how near what DA-CLIP sees of them is to words (arXiv:2310.01018, section 3.1).

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
import { type DeviceRequest, openAt, placementsFor } from './session/devices.ts'

export interface DetectorOptions extends DeviceRequest {
  /** Id of a card, light-detect unless given. */
  readonly model?: string | undefined
  /** A checkpoint of a DA-CLIP in place of the package's own. */
  readonly weights?: string | undefined
  /** Two or more different texts to compare with; DA-CLIP's ten words unless given. */
  readonly prompts?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Finding {
  /** One of the prompts. */
  readonly degradation: string
  /** 0 .. 1; those of all prompts add up to 1. */
  readonly probability: number
}

/** Guidance of a DA-CLIP. */
type Embeddings = Extract<Guidance, { readonly kind: 'embeddings' }>

/** What a picture is compared with. */
interface Words {
  readonly prompts: readonly string[]
  /** Features of the prompts. */
  readonly texts: readonly Float32Array[]
  /** Of similarities. */
  readonly scale: number
}

interface Open {
  readonly session: ProcessSession
  readonly imageSide: number
  readonly words: Words
  readonly notes: readonly string[]
}

/** A DA-CLIP and prompts, open until it is closed. */
export class Detector implements AsyncDisposable {
  readonly #open: Open

  private constructor(open: Open) {
    this.#open = open
  }

  /** Refuses prompts that the weights cannot take, then opens them in a process of their own. */
  static async open(options: DetectorOptions): Promise<Detector> {
    const prompts = checkPrompts(options.prompts ?? degradationWords)
    const model = options.model ?? (options.weights === undefined ? detection.model : undefined)
    const { weights } = resolveModel({ model, weights: options.weights })
    const checkpoint = readCheckpoint(weights)
    const clip = checkDetector(weights, checkpoint)
    const ids = tokenize(prompts, clip)
    const notes = unknownWords(prompts, unknownTokens(checkpoint, ids))
    const setup = { weights, options: {}, threads: availableParallelism() }
    const { session } = await openAt(placementsFor(options), setup, { signal: options.signal })
    try {
      const texts = rowsOf((await session.part('text').run({ ids }, options)).textFeatures)
      const words = { texts, prompts, scale: scaleOf(checkpoint) }
      return new Detector({ session, imageSide: clip.imageSide, words, notes })
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** Words of the prompts that these weights have not learned and that do not count. */
  get notes(): readonly string[] {
    return this.#open.notes
  }

  /** Every prompt and how likely it is for a picture, the likeliest first. */
  async run(input: RestoreInput, options: ReadOptions & RunOptions = {}): Promise<readonly Finding[]> {
    const { pixels } = await readInput(input, options)
    return this.runPlanes(pixelsToPlanes(pixels).image, options)
  }

  /** The same for planes [c h w] of 0 .. 1, in color or gray. */
  async runPlanes(image: Image, options: RunOptions = {}): Promise<readonly Finding[]> {
    const { session, imageSide, words } = this.#open
    const seen: Float32Array[] = []
    for (const square of squaresOf(image)) {
      const { degradation } = await session.run({ image: clipImage(square, imageSide) }, options)
      seen.push(...rowsOf(degradation))
    }
    return rank(seen, words)
  }

  async close(): Promise<void> {
    await this.#open.session.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Opens a DA-CLIP to tell which degradations pictures have. */
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

/** The options of a DA-CLIP; refuses other networks. */
function checkDetector(weights: string, checkpoint: Checkpoint): Embeddings {
  const { id, role } = describeNetwork(checkpoint)
  if (role.kind === 'guides' && role.guidance.kind === 'embeddings') return role.guidance
  throw new RestoreError(
    'usage',
    `${weights}: expected weights of daclip, which sees degradations, got ${id}; use daclip_ViT-B-32.pt or ${detection.model}`,
  )
}

/** Token ids [prompts n], without padding; refuses texts that would be cut. */
function tokenize(prompts: readonly string[], { contextLength }: Embeddings): TensorData {
  const { ids, isCut } = clipTokenizer().tokenize(prompts, { contextLength })
  const long = prompts[isCut.indexOf(true)]
  if (long === undefined) return withoutPadding(ids)
  const count = clipTokenizer().encode(long).length
  throw new RestoreError(
    'usage',
    `prompts: expected texts of at most ${contextLength - 2} tokens, got ${count} in '${long.slice(0, 40)}…'; shorten it`,
  )
}

/** For each prompt its tokens of which the text tower knows nothing: their rows are zeros, as no training met them. */
function unknownTokens({ tensors }: Checkpoint, ids: TensorData): readonly (readonly number[])[] {
  const stored = tensors.get('clip.token_embedding.weight')
  if (!stored) return []
  const [values, width] = [toFloat32(loadTensor(stored)), stored.shape[1] ?? 1]
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

/** Tells of single words that are not known, and refuses prompts of which no word is. */
function unknownWords(prompts: readonly string[], unknown: readonly (readonly number[])[]): string[] {
  const { encode, decode } = clipTokenizer()
  return unknown.flatMap((tokens, i) => {
    const prompt = prompts[i] as string
    if (tokens.length === 0) return []
    const words = decode(tokens).trim()
    if (tokens.length < encode(prompt).length)
      return [`'${prompt}': these weights have not learned '${words}', which does not count`]
    throw new RestoreError(
      'usage',
      `prompts: expected words that these weights have learned, such as ${degradationWords.slice(0, 4).join(', ')}, got '${prompt}'; a DA-CLIP with CLIP's own text tower knows all words`,
    )
  })
}

/** What the training multiplied similarities with: 100 in published weights, and at most. */
function scaleOf({ tensors }: Checkpoint): number {
  const stored = tensors.get('logit_scale')
  const [logarithm = maxLogitScale] = stored ? toFloat32(loadTensor(stored)) : []
  return Math.exp(Math.min(logarithm, maxLogitScale))
}

/** Of the squares of a long picture: strips of film and text have many. */
const mostSquares = 15

/**
 * Squares from one end of a picture to the other, each half over the next or more where 15 suffice for that: CLIP by itself sees the
 * middle one alone.
 */
export function squaresOf(image: Image): readonly Image[] {
  const { width, height } = image
  const side = Math.min(width, height)
  const last = Math.min(2 * Math.ceil(Math.max(width, height) / side) - 1, mostSquares) - 1
  return Array.from({ length: last + 1 }, (_, i) => {
    const [top, left] = [height - side, width - side].map((room) =>
      Math.round((room * i) / Math.max(last, 1)),
    )
    return crop(image, top ?? 0, left ?? 0, side, side)
  })
}

/** Probabilities of the prompts for features of an image, the mean over several of its squares; the likeliest first. */
export function rank(seen: readonly Float32Array[], { texts, prompts, scale }: Words): readonly Finding[] {
  const found = seen.map((features) => softmax(texts.map((text) => scale * cosine(features, text))))
  const mean = (i: number) => found.reduce((sum, values) => sum + (values[i] ?? 0), 0) / found.length
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
  let [product, ofA, ofB] = [0, 0, 0]
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0
    product += value * other
    ofA += value * value
    ofB += other * other
  }
  return product / Math.sqrt(ofA * ofB)
}

/** Rows of a matrix of features. */
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
