// Detects degradations by comparing DA-CLIP's embedding of a picture with texts (arXiv:2310.01018, section
// 3.1).

import { type Checkpoint, chosenSet } from '../checkpoints/checkpoint.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { checkOptions, type OptionRules, signal, text, texts } from '../core/options.ts'
import type { RunOptions } from '../core/session.ts'
import { type ClipSize, clipImage } from '../data/clip/clipImage.ts'
import { crop, type Image, pixelsToPlanes } from '../data/image.ts'
import { availableCores } from '../files/cores.ts'
import { type EmbeddedPrompts, type Finding, rank, rowsOf } from '../models/daclip/wordRanking.ts'
import { degradationWords } from '../models/daclip/words.ts'
import { detection } from '../models/tasks.ts'
import { describeNetwork } from '../registry/loadModel.ts'
import { checkPlanes } from './pictures/pictureTypes.ts'
import { type DaClipGuidance, embedPrompts, preparePrompts } from './prompts.ts'
import { type ReadOptions, type RestoreInput, readInput, readRules } from './readInput.ts'
import { resolveModel } from './resolveModel.ts'
import type { ProcessSession } from './session/computeProcess.ts'
import { type DeviceRequest, deviceRules, openOnDevice, placementsFor } from './session/devices.ts'

/** Options of {@link createDetector}. */
export interface DetectorOptions extends DeviceRequest {
  /** Id of a model card. @default 'light-detect' */
  readonly model?: string | undefined
  /** DA-CLIP checkpoint to use instead of packaged weights. */
  readonly weights?: string | undefined
  /** Which tensors of `weights`, where a file holds several sets; see {@link RestorerOptions}. */
  readonly tensors?: string | undefined
  /** Two or more different texts to compare with. @default the ten words of DA-CLIP */
  readonly prompts?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

const signalRules: OptionRules<RunOptions> = { signal }

const detectorRules: OptionRules<DetectorOptions> = {
  ...deviceRules,
  ...signalRules,
  model: text,
  weights: text,
  tensors: text,
  prompts: texts,
}

interface OpenDetector {
  readonly session: ProcessSession
  readonly imageSize: ClipSize
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
    const { weights, tensors } = resolveModel({ model, weights: options.weights, tensors: options.tensors })
    const checkpoint = readCheckpoint(weights, { tensors })
    const clip = checkDetector(weights, checkpoint)
    const prepared = preparePrompts(prompts, checkpoint, clip)
    const chosen = chosenSet(checkpoint)
    const notes = [...(chosen === undefined ? [] : [chosen]), ...prepared.notes]
    const setup = { weights, tensors, options: {}, threads: availableCores() }
    const { session } = await openOnDevice(placementsFor(options), setup, { signal: options.signal })
    try {
      const embedded = await embedPrompts(session, prepared, options)
      return new Detector({ session, imageSize: clip.imageSize, embedded, notes })
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /**
   * Notes on words in the prompts that the weights have not learned and therefore ignore, and on which of several
   * sets of tensors in the file is used.
   */
  get notes(): readonly string[] {
    return this.#open.notes
  }

  /** Estimates how likely each prompt describes a picture, most likely first. */
  async run(input: RestoreInput, options: ReadOptions & RunOptions = {}): Promise<readonly Finding[]> {
    const { signal, ...read } = options
    checkOptions('run', options, { ...readRules, ...signalRules })
    const { pixels } = await readInput(input, { ...read, colors: 'srgb' })
    return this.#rank(pixelsToPlanes(pixels).image, { signal })
  }

  /** Like `run`, for color or gray planes [c h w] in 0..1. */
  async runPlanes(image: Image, options: RunOptions = {}): Promise<readonly Finding[]> {
    checkOptions('runPlanes', options, signalRules)
    checkPlanes(image)
    return this.#rank(image, options)
  }

  async #rank(image: Image, options: RunOptions): Promise<readonly Finding[]> {
    const { session, imageSize, embedded } = this.#open
    const features: Float32Array[] = []
    for (const square of squaresOf(image)) {
      const { degradation } = await session.run({ image: clipImage(square, imageSize) }, options)
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
export async function createDetector(options: DetectorOptions = {}): Promise<Detector> {
  checkOptions('createDetector', options, detectorRules)
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
