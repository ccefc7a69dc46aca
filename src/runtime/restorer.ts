// The library's main entry in Node: opens a network in a separate process and restores pictures with it.

import { setMaxListeners } from 'node:events'
import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { chosenSet } from '../checkpoints/checkpoint.ts'
import { RestoreError } from '../core/errors.ts'
import {
  callback,
  checkOptions,
  type OptionRules,
  oneOf,
  record,
  signal,
  text,
  texts,
  whole,
} from '../core/options.ts'
import { unknownName } from '../core/unknownName.ts'
import { checkBackground } from '../data/colors/background.ts'
import { srgbTransform } from '../data/colors/srgbTransform.ts'
import { checkFormat, checkSize } from '../data/encode.ts'
import { isTransparent, type Pixels } from '../data/image.ts'
import { convertByProfile } from '../data/sharpRaster.ts'
import { availableCores } from '../files/cores.ts'
import { degradationWords, wordsByDamage } from '../models/daclip/words.ts'
import { damageIds } from '../models/damages.ts'
import type { NetworkDescription } from '../models/networkDescriptor.ts'
import { type ModelCard, versionOf } from '../registry/cards.ts'
import type { ModelId } from '../registry/networks.ts'
import {
  type CheckedRequest,
  checkGraphRequest,
  checkMix,
  checkRequest,
  type Mix,
  type NetworkRequest,
  networkRules,
  rejectForGraph,
} from './checkRequest.ts'
import type { RestoringNetwork } from './graphs/imageGraph.ts'
import type { OnProgress } from './jobs/progress.ts'
import type { RestoreInfo } from './pictures/pictureTypes.ts'
import { embedPrompts, type Prompts, preparePrompts } from './prompts.ts'
import { type DecodedInput, type RestoreInput, readInput, readRules } from './readInput.ts'
import {
  adviseFetched,
  type ModelRequest,
  type ResolvedGuide,
  type ResolvedModel,
  resolveGuide,
  resolveModel,
} from './resolveModel.ts'
import { RestoreResult, type ResultFile } from './restoreResult.ts'
import { type RestoredPicture, RestorerCore, type RestorerSetup } from './restorerCore.ts'
import type { ProcessSession } from './session/computeProcess.ts'
import { type DeviceRequest, deviceName, deviceRules, openOnDevice } from './session/devices.ts'
import { openWeights } from './session/openWeights.ts'
import { type PrecisionRequest, placementsIn, precisionRules } from './session/precision.ts'
import { type PictureOptions, pictureRules, TiledRestoration } from './tiledRestoration.ts'
import { type TileRequest, tileRules } from './tiles/tilePlan.ts'

/** Options of {@link createRestorer}; tiling and sampling options are defaults for every picture. */
export interface RestorerOptions
  extends ModelRequest,
    DeviceRequest,
    PrecisionRequest,
    TileRequest,
    NetworkRequest {
  /** File of the second network that some samplers require: a DA-CLIP, or a latent compressor. */
  readonly guide?: string | undefined
  /** A second file of the same network, whose weights are mixed into the first's. */
  readonly mix?: Mix | undefined
  /**
   * Damage that a DA-CLIP as guide is told of, such as `snow`, instead of what it sees.
   * @default what it sees
   */
  readonly damage?: readonly string[] | undefined
  /** Network options that replace those the weights imply. */
  readonly options?: object | undefined
  /** Most CPU threads; never more than cores. @default the number of cores, divided among concurrent restorers */
  readonly threads?: number | undefined
  /** Restorers open at the same time, including this one; they share cores and memory. @default 1 */
  readonly concurrentRestorers?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** Options of {@link Restorer.run}. */
export interface RunPictureOptions extends PictureOptions {
  /** Format of the file to write; rejected before restoring if it cannot hold the picture. */
  readonly format?: string | undefined
  /** Color that replaces transparency, as in CSS: 'white', '#ff8800'. @default transparency is kept */
  readonly background?: string | undefined
  /** Name of the input in errors. @default its path, else 'image' */
  readonly name?: string | undefined
  /** Largest number of pixels to decode. @default 268 million */
  readonly pixelLimit?: number | undefined
  /** Page of a document or frame of an animation, from 1. @default a file of several is refused */
  readonly page?: number | undefined
}

export const restorerRules: OptionRules<RestorerOptions> = {
  ...tileRules,
  ...networkRules,
  ...deviceRules,
  ...precisionRules,
  model: text,
  weights: text,
  tensors: text,
  task: text,
  prefer: oneOf(['packaged', 'fetched']),
  guide: text,
  mix: record,
  damage: texts,
  options: record,
  threads: whole(1, 1024),
  concurrentRestorers: whole(1, 1024),
  signal,
  onProgress: callback,
}

export const runRules: OptionRules<RunPictureOptions> = {
  ...pictureRules,
  name: readRules.name,
  pixelLimit: readRules.pixelLimit,
  page: readRules.page,
  format: text,
  background: text,
}

/** An open network in Node. */
interface NodeSetup extends RestorerSetup {
  readonly network: RestoringNetwork
  readonly session: ProcessSession
  readonly card: ModelCard | undefined
  readonly notes: readonly string[]
  readonly guide: OpenGuide | undefined
  readonly damage: readonly string[] | undefined
}

interface OpenGuide extends Pick<ResolvedGuide, 'network' | 'guidance'> {
  readonly session: ProcessSession
}

/** Restores pictures with a network that stays open until `close`; concurrent calls are queued. */
export class Restorer extends RestorerCore {
  readonly #setup: NodeSetup

  private constructor(setup: NodeSetup) {
    super(setup)
    this.#setup = setup
  }

  /** Opens a restorer like {@link createRestorer}, with options that have been checked. @internal */
  static async open(options: RestorerOptions): Promise<Restorer> {
    const { concurrentRestorers = 1, signal, mix, damage } = options
    checkMix(mix)
    const told = damage && toldWords(damage)
    const { card, weights, tensors, overrides, checked, guide, notes } = resolveNetworks(options)
    const ofWords = wordsOf(guide)
    if (damage && !ofWords) throw withoutWords(damage, card?.id ?? basename(weights))
    const threads = options.threads ?? Math.max(1, Math.floor(availableCores() / concurrentRestorers))
    const budgetBytes = memoryBudget(concurrentRestorers, guide)
    options.onProgress?.({ phase: 'open', done: 0, total: 1 })
    const setup = { weights, tensors, mix, options: overrides, threads }
    const { device, backend = checked ? 'auto' : 'onnx', dtype } = options
    const isOwn = options.weights === undefined && mix === undefined
    const placed = { network: checked?.network, model: isOwn ? card?.id : undefined }
    const placements = placementsIn({ device, backend, dtype }, placed)
    const { session, placement } = await openOnDevice(placements, setup, { signal })
    try {
      const { network, license, scale, trained } = checked ?? checkOpened(weights, session, options)
      const guideSetup = guide && { weights: guide.file, options: {}, threads }
      const openedGuide = guideSetup && (await openOnDevice([placement], guideSetup, { signal })).session
      const embedded = ofWords && openedGuide && (await embedPrompts(openedGuide, ofWords, { signal }))
      const words = embedded && { ...embedded, told: told ?? [] }
      const openGuide = guide &&
        openedGuide && { network: guide.network, guidance: guide.guidance, session: openedGuide, words }
      const restoration = new TiledRestoration({
        loaded: { network, session, guide: openGuide },
        trained,
        scale,
        budgetBytes,
        defaults: options,
      })
      return new Restorer({
        restoration,
        network,
        session,
        card,
        notes,
        license,
        guide: openGuide,
        damage,
        info: {
          model: card?.id ?? (checked ? network.id : basename(weights)),
          version: mix ? undefined : versionOf(card, session.opened.sha256),
          network: network.id,
          sha256: session.opened.sha256,
          mix: mix && { weights: basename(mix.weights), sha256: session.opened.mixSha256, share: mix.share },
          device: deviceName(placement),
          backend: placement.backend,
          dtype: placement.dtype,
        },
        close: async () => {
          await Promise.all([session.close(), openGuide?.session.close()])
        },
      })
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** Process id of the compute process; undefined while none runs. */
  get pid(): number | undefined {
    return this.#setup.session.pid
  }

  /** Card of the model; undefined for weights without one. */
  get card(): ModelCard | undefined {
    return this.#setup.card
  }

  /** Version of the packaged weights; undefined for other weights. */
  get version(): number | undefined {
    return this.#setup.info.version
  }

  /** Notes on the weights: which of several sets of tensors is used, and which fetched model is better for the task. */
  get notes(): readonly string[] {
    return this.#setup.notes
  }

  /** The network of the weights, with its options. */
  get network(): RestoringNetwork {
    return this.#setup.network
  }

  /** SHA-256 of the weights file. */
  get sha256(): string {
    return this.#setup.session.opened.sha256
  }

  /** The file mixed into the weights, its SHA-256 and share, if there is one. */
  get mix(): RestoreInfo['mix'] {
    return this.#setup.info.mix
  }

  /** Network and SHA-256 of the guide, if there is one. */
  get guide(): { readonly network: NetworkDescription<ModelId>; readonly sha256: string } | undefined {
    const { guide } = this.#setup
    return guide && { network: guide.network, sha256: guide.session.opened.sha256 }
  }

  /** What decides about results beside the treatment of a picture. @internal */
  get identity(): object {
    const { sha256, mix, network, card, version } = this
    const guide = this.guide?.sha256
    const { damage, info } = this.#setup
    return {
      dtype: info.dtype,
      model: card?.id,
      version,
      sha256,
      guide,
      damage,
      mix,
      network: network.options,
    }
  }

  /**
   * Restores a picture of any size.
   * @throws RestoreError for this picture alone: 'input', 'usage', 'memory', 'crash', 'aborted'
   */
  async run(input: RestoreInput, options: RunPictureOptions = {}): Promise<RestoreResult> {
    checkOptions('run', options, runRules)
    return this.#run(() => readInput(input, options), options)
  }

  /** Like `run`, for an input that is already being read. @internal */
  runRead(reading: Promise<DecodedInput>, options: RunPictureOptions): Promise<RestoreResult> {
    return this.#run(() => reading, options)
  }

  #run(read: () => Promise<DecodedInput>, options: RunPictureOptions): Promise<RestoreResult> {
    const { background } = options
    const format = options.format?.toLowerCase()
    // Every picture in the queue listens, which is no leak.
    if (options.signal) setMaxListeners(0, options.signal)
    return this.restorePicture(options, {
      read,
      is16Bit: (decoded) => {
        checkTarget(decoded, this.scale, { format, background })
        return decoded.depth > 8
      },
      wrap: (restored, decoded) => wrapResult(restored, decoded, { ...options, format }),
    })
  }
}

/** The ten words for a guide that compares photos with them; undefined for one that does not know them. */
function wordsOf(guide: ResolvedGuide | undefined): Prompts | undefined {
  if (guide?.guidance.kind !== 'embeddings') return undefined
  try {
    return preparePrompts(degradationWords, guide.checkpoint, guide.guidance)
  } catch (error) {
    if (error instanceof RestoreError && error.code === 'usage') return undefined
    throw error
  }
}

/** Checks that a model can be told of damage, before it opens. @throws RestoreError 'usage' */
export function checkDamage(damage: readonly string[], { id, guide }: Pick<ModelCard, 'id' | 'guide'>): void {
  if (guide === undefined) throw withoutWords(damage, id)
  toldWords(damage)
}

/** Indices of the words for damage. @throws RestoreError 'usage' for damage without a word */
function toldWords(damage: readonly string[]): readonly number[] {
  const known = damageIds.filter((id) => wordsByDamage[id] !== undefined)
  return damage.map((name) => {
    const id = known.find((one) => one === name)
    if (id === undefined) throw unknownName('damage', name, known)
    return degradationWords.indexOf(wordsByDamage[id]!)
  })
}

function withoutWords(damage: readonly string[], model: string): RestoreError {
  return new RestoreError(
    'usage',
    `damage: expected task auto or universal, which know kinds of damage, got ${damage.join(', ')} beside ${model}; leave it out`,
  )
}

/** Refuses a picture that its format cannot hold, before it is restored. */
export function checkTarget(
  { pixels }: DecodedInput,
  scale: number,
  { format, background }: Pick<RunPictureOptions, 'format' | 'background'>,
): void {
  if (background !== undefined) checkBackground(background)
  if (format === undefined) return
  checkFormat(format, background === undefined && isTransparent(pixels))
  checkSize(format, { width: pixels.width * scale, height: pixels.height * scale })
}

/** A result of restored pixels, with what the file of the input stated. */
export async function wrapResult(
  { pixels, samples, spread, info }: RestoredPicture,
  { pixels: _, notes: __, ...decoded }: DecodedInput,
  { format = decoded.format, background, original }: RunPictureOptions & Pick<ResultFile, 'original'>,
): Promise<RestoreResult> {
  const file = { ...decoded, format, background, original }
  const toSrgb = await srgbTransform(decoded.metadata?.icc, convertByProfile)
  const map = { depth: 8, format: 'png' } as const
  return new RestoreResult({
    ...{ pixels, file, info, toSrgb },
    samples: samples.map((one: Pixels) => new RestoreResult({ pixels: one, file, info, toSrgb })),
    spread: spread && new RestoreResult({ pixels: spread, file: map, info, toSrgb: (one) => one }),
  })
}

/** Files of a request. */
interface ResolvedNetworks extends Omit<ResolvedModel, 'isGraph'> {
  /** Undefined for an ONNX file, which tells what it is once it is open. */
  readonly checked: CheckedRequest | undefined
  readonly guide: ResolvedGuide | undefined
  readonly notes: readonly string[]
}

/** Resolves and checks the files of a request. */
function resolveNetworks(options: RestorerOptions): ResolvedNetworks {
  const resolved = resolveModel(options)
  const { card, weights, isGraph, tensors, overrides: fromCard } = resolved
  if (isGraph) {
    const { guide, mix, backend } = options
    rejectForGraph(weights, { options: options.options, guide, mix, backend })
    return { card, weights, tensors, overrides: {}, checked: undefined, guide: undefined, notes: [] }
  }
  const overrides = { ...fromCard, ...options.options }
  const checkpoint = openWeights({ weights, tensors, mix: options.mix })
  const requested = { weights, checkpoint, card, overrides }
  const checked = checkRequest(requested, options)
  const guide = checked.trained && resolveGuide(checked.network, { weights, card, guide: options.guide })
  const notes = [chosenSet(checkpoint), adviseFetched(options, resolved)].filter((note) => note !== undefined)
  return { card, weights, tensors, overrides, checked, guide, notes }
}

/** Checks a request against an ONNX file that is open. */
function checkOpened(weights: string, { opened }: ProcessSession, options: RestorerOptions): CheckedRequest {
  if (opened.graph) return checkGraphRequest(weights, opened.graph, options)
  throw new RestoreError('crash', `${weights}: expected an ONNX file, got another since; try again`)
}

/** Memory for a run: half of this restorer's share, after what the guide takes to load and run. */
function memoryBudget(concurrentRestorers: number, guide: ResolvedGuide | undefined): number {
  const guideBytes = guide ? 2 * statSync(guide.file).size : 0
  return Math.max(0, process.availableMemory() / concurrentRestorers - guideBytes) / 2
}

/**
 * Opens a network, selected by a model's id, a task or a weights file.
 * @throws RestoreError 'usage', 'checkpoint', 'environment'
 * @example
 * const restorer = await createRestorer({ model: 'light-photo' })
 * const result = await restorer.run('photo.jpg')
 * await result.toFile('clean.png')
 * await restorer.close()
 */
export async function createRestorer(options: RestorerOptions = {}): Promise<Restorer> {
  checkOptions('createRestorer', options, restorerRules)
  return Restorer.open(options)
}
