// limpid detect: which degradations a photo has, by how near the degradation that DA-CLIP sees is to words for them.

import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { toFloat32 } from '../checkpoints/convert.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { type Checkpoint, loadTensor } from '../checkpoints/stored.ts'
import { type TensorData, viewAs } from '../core/data.ts'
import { messageOf, RestoreError } from '../core/errors.ts'
import { clipImage } from '../data/clip/clipImage.ts'
import { clipTokenizer } from '../data/clip/vocabulary.ts'
import { decodeImage } from '../data/codec.ts'
import { type ClipOptions, clipDefaults } from '../models/clip.ts'
import { degradationWords, maxLogitScale } from '../models/daclip.ts'
import { recognize } from '../registry/builders.ts'
import { packagedWeights } from '../runtime/models.ts'
import type { ComputeSession } from '../runtime/session/compute.ts'
import { openAt, placementsFor } from '../runtime/session/devices.ts'
import { type InputFile, listInputs } from './inputs.ts'
import type { BackendOptions } from './networks/backends.ts'
import {
  countImages,
  type GlobalOptions,
  parsePixelLimit,
  parseWhole,
  printResult,
  readInput,
  reporter,
} from './shell.ts'

export interface DetectOptions extends GlobalOptions, BackendOptions {
  readonly model?: string
  readonly weights?: string
  readonly prompts?: string
  readonly top?: string
  readonly recursive?: boolean
  readonly pixelLimit?: string
}

export const defaultDetector = 'light-detect'

export interface Finding {
  readonly degradation: string
  readonly probability: number
}

interface Detected {
  readonly input: string
  /** The likeliest first. */
  readonly degradations: readonly Finding[]
}

interface Failure {
  readonly input: string
  readonly code: string
  readonly message: string
}

export async function detectCommand(given: readonly string[], options: DetectOptions): Promise<void> {
  const { files, isMany } = listInputs(given, options)
  const prompts = parsePrompts(options.prompts)
  const top = options.top === undefined ? prompts.length : parseWhole('--top', options.top, 1)
  const weights = weightsOf(options)
  const news = reporter(options)
  const checkpoint = readCheckpoint(weights)
  const clip = checkDetector(weights, checkpoint)
  const ids = tokenize(prompts, clip)
  tellUnknown(prompts, unknownTokens(checkpoint, ids), (text) => news.show(text))
  news.done()
  const setup = { weights, options: {}, threads: availableParallelism() }
  const { session } = await openAt(placementsFor(options), setup, {})
  try {
    const texts = rowsOf((await session.part('text').run({ ids })).textFeatures)
    const limits = parsePixelLimit(options.pixelLimit)
    const look: Look = { session, clip, words: { texts, prompts, scale: scaleOf(checkpoint) }, top, limits }
    const count = countImages(news, 'looked at', files.length)
    const [found, failures] = await lookAtAll(files, look, count)
    news.clear()
    if (failures[0] && !isMany) throw failures[0].error
    report(found, failures, { ...options, isMany })
  } finally {
    await session.close()
  }
}

/** Texts apart by commas; DA-CLIP's ten words unless given. */
export function parsePrompts(text: string | undefined): readonly string[] {
  if (text === undefined) return degradationWords
  const prompts = text.split(',').map((prompt) => prompt.trim())
  if (
    prompts.length >= 2 &&
    prompts.every((prompt) => prompt !== '') &&
    new Set(prompts).size === prompts.length
  )
    return prompts
  throw new RestoreError(
    'usage',
    `--prompts: expected two or more different texts apart by commas, such as 'noisy,hazy,a clean photo', got '${text}'`,
  )
}

function weightsOf({ model = defaultDetector, weights }: DetectOptions): string {
  if (weights !== undefined) return weights
  const packaged = packagedWeights(model)
  if (existsSync(packaged)) return packaged
  const training =
    model === defaultDetector ? 'train them with limpid train recipes/light-detect.ts, or ' : ''
  throw new RestoreError(
    'usage',
    `${model}: expected its weights at ${packaged}, where there are none; ${training}give --weights FILE with those of a DA-CLIP, such as daclip_ViT-B-32.pt`,
  )
}

/** The options of a DA-CLIP; refuses other networks. */
function checkDetector(weights: string, checkpoint: Checkpoint): ClipOptions {
  const { id, options } = recognize(checkpoint)
  if (id === 'daclip') return { ...clipDefaults, ...options }
  throw new RestoreError(
    'usage',
    `${weights}: expected weights of daclip, which sees degradations, got ${id}; use daclip_ViT-B-32.pt or ${defaultDetector}`,
  )
}

/** Token ids [prompts n]; refuses texts that would be cut. */
export function tokenize(prompts: readonly string[], { contextLength }: ClipOptions): TensorData {
  const { ids, isCut } = clipTokenizer().tokenize(prompts, { contextLength })
  const long = prompts[isCut.indexOf(true)]
  if (long === undefined) return ids
  const count = clipTokenizer().encode(long).length
  throw new RestoreError(
    'usage',
    `--prompts: expected texts of at most ${contextLength - 2} tokens, got ${count} in '${long.slice(0, 40)}…'; shorten it`,
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

/** Refuses prompts of which no word is known, and tells of single words. */
function tellUnknown(
  prompts: readonly string[],
  unknown: readonly (readonly number[])[],
  tell: (text: string) => void,
): void {
  const { encode, decode } = clipTokenizer()
  for (const [i, tokens] of unknown.entries()) {
    const prompt = prompts[i] as string
    if (tokens.length === 0) continue
    const words = decode(tokens).trim()
    if (tokens.length === encode(prompt).length) {
      throw new RestoreError(
        'usage',
        `--prompts: expected words that these weights have learned, such as ${degradationWords.slice(0, 4).join(', ')}, got '${prompt}'; a DA-CLIP with CLIP's own text tower knows all words`,
      )
    }
    tell(`'${prompt}': these weights have not learned '${words}', which does not count`)
  }
}

/** What the training multiplied similarities with, 100 in published weights and at most. */
function scaleOf({ tensors }: Checkpoint): number {
  const stored = tensors.get('logit_scale')
  const [logarithm = maxLogitScale] = stored ? toFloat32(loadTensor(stored)) : []
  return Math.exp(Math.min(logarithm, maxLogitScale))
}

/** What a picture is compared with. */
interface Words {
  readonly prompts: readonly string[]
  /** Features of the prompts. */
  readonly texts: readonly Float32Array[]
  /** Of similarities. */
  readonly scale: number
}

interface Look {
  readonly session: ComputeSession
  readonly clip: ClipOptions
  readonly words: Words
  readonly top: number
  readonly limits: { readonly pixelLimit?: number }
}

async function lookAtAll(
  files: readonly InputFile[],
  look: Look,
  count: () => void,
): Promise<[readonly Detected[], readonly (Failure & { readonly error: unknown })[]]> {
  const found: Detected[] = []
  const failures: (Failure & { readonly error: unknown })[] = []
  for (const { path } of files) {
    try {
      found.push({ input: path, degradations: await lookAt(path, look) })
    } catch (error) {
      const code = error instanceof RestoreError ? error.code : 'crash'
      failures.push({
        input: path,
        code,
        message: messageOf(error),
        error,
      })
    }
    count()
  }
  return [found, failures]
}

async function lookAt(
  path: string,
  { session, clip, words, top, limits }: Look,
): Promise<readonly Finding[]> {
  const { image } = await decodeImage(path === '-' ? readInput(path) : path, { ...limits, name: path })
  const { degradation } = await session.run({ image: clipImage(image, clip.imageSide) })
  const [seen] = rowsOf(degradation)
  if (!seen) throw new RestoreError('numeric', `${path}: expected features of the degradation, got none`)
  return rank(seen, words).slice(0, top)
}

/** Probabilities of the prompts for features of an image, the likeliest first. */
export function rank(seen: Float32Array, { texts, prompts, scale }: Words): readonly Finding[] {
  const logits = texts.map((text) => scale * cosine(seen, text))
  const largest = Math.max(...logits)
  const weights = logits.map((logit) => Math.exp(logit - largest))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return prompts
    .map((degradation, i) => ({ degradation, probability: (weights[i] ?? 0) / total }))
    .sort((a, b) => b.probability - a.probability)
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

function report(
  found: readonly Detected[],
  failures: readonly Failure[],
  options: DetectOptions & { readonly isMany: boolean },
): void {
  const told = failures.map(({ input, code, message }) => ({ input, code, message }))
  const text = found.map(({ input, degradations }) => {
    const lines = degradations.map(
      ({ degradation, probability }) => `${(100 * probability).toFixed(1).padStart(5)} %  ${degradation}`,
    )
    return (options.isMany ? [input, ...lines.map((line) => `  ${line}`)] : lines).join('\n')
  })
  if (found.length > 0 || options.json)
    printResult(options, { results: found, failures: told }, text.join('\n'))
  if (told.length === 0) return
  process.stderr.write(`${told.length} of ${found.length + told.length} pictures failed:\n`)
  for (const { message } of told) process.stderr.write(`  ${message}\n`)
  process.exitCode = 1
}
