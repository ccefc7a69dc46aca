// Repairs photos without being told what is wrong: looks, plans, tries every step and checks it, and leaves a
// good photo as it is.

import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type Estimates, estimateDamage } from '../auto/estimates/estimate.ts'
import { jpegFileQuality } from '../auto/estimates/jpegTables.ts'
import { type DamageFinding, findDamage } from '../auto/plan/findings.ts'
import { checkOverrides, type OverrideRequest, type Overrides } from '../auto/plan/overrides.ts'
import { type Plan, planRepair } from '../auto/plan/plan.ts'
import { damageRules } from '../auto/plan/rules.ts'
import { RestoreError } from '../core/errors.ts'
import { checkOptions, type OptionRules, texts } from '../core/options.ts'
import type { Image } from '../data/image.ts'
import { type PartedImage, wholeOf } from '../data/parts.ts'
import { availableCores } from '../files/cores.ts'
import { type License, licenses } from '../models/modelCard.ts'
import { autoTask } from '../models/tasks.ts'
import { type Inspector, openInspector } from './inspector.ts'
import { closed, SerialQueue } from './jobs/serialQueue.ts'
import { type PictureRestorer, runInSteps } from './pictureRestorer.ts'
import { checkPlanes } from './pictures/pictureTypes.ts'
import { planesOfPicture } from './pictures/planePicture.ts'
import { type DecodedInput, type RestoreInput, readInput } from './readInput.ts'
import { repairPicture } from './repair.ts'
import { packagedWeights, resolveModel } from './resolveModel.ts'
import type { RestoreResult } from './restoreResult.ts'
import {
  Restorer,
  type RestorerOptions,
  type RunPictureOptions,
  restorerRules,
  runRules,
} from './restorer.ts'
import { placementsOfMeasured } from './session/precision.ts'
import { refuseForSteps, type StepModel, type SteppedPlanes, strictestLicense } from './steps.ts'
import { type PictureOptions, pictureRules } from './tiledRestoration.ts'

/** Options of {@link createAutoRestorer}; `guide` is a file of light-inspect's weights. */
export interface AutoOptions extends Omit<RestorerOptions, 'task'>, OverrideRequest {
  readonly task?: 'auto' | undefined
}

export const overrideRules: OptionRules<OverrideRequest> = { only: texts, never: texts, damage: texts }

/** What a repair is made with: the networks of the package. */
export interface RepairParts {
  openInspector(options: AutoOptions): Promise<Inspector>
  openModel(options: RestorerOptions): Promise<StepModel>
  isAvailable(model: string): boolean
}

const packaged: RepairParts = {
  openInspector: async ({ guide, device, backend, signal, threads = availableCores() }) =>
    openInspector({ weights: inspectorWeights(guide), device, backend, signal, threads }),
  openModel: (options) => Restorer.open(options),
  isAvailable: (model) => existsSync(packagedWeights(model)),
}

function inspectorWeights(guide: string | undefined): string {
  const weights = guide ?? packagedWeights('light-inspect')
  if (existsSync(weights)) return weights
  throw new RestoreError(
    'usage',
    `auto: expected weights of light-inspect, which looks at photos, at ${weights}, got no file; pass them as guide (--guide FILE), or name a task`,
  )
}

/**
 * Weights that repairs choose from: those of light-inspect, and of the package's models.
 * @throws RestoreError 'usage' without those of light-inspect
 */
export function weightsOfRepairs({ guide, scale = 1 }: AutoOptions): readonly string[] {
  const models = new Set(damageRules.flatMap((rule) => rule.models).filter(packaged.isAvailable))
  const enlarging = scale > 1 ? [resolveModel({ task: 'upscale', scale }).weights] : []
  return [inspectorWeights(guide), ...[...models].map(packagedWeights), ...enlarging]
}

/** Options of one network, which end the search for the right ones. */
const ofOneNetwork = [
  ...(['model', 'weights', 'tensors', 'mix', 'maxSigma'] as const),
  ...(['steps', 'sampler', 'samples', 'noise'] as const),
]

/** Repairs photos until it is closed; networks stay open once a photo needed them. */
export class AutoRestorer implements PictureRestorer {
  readonly #options: AutoOptions
  readonly #parts: RepairParts
  readonly #inspector: Inspector
  readonly #overrides: Overrides
  readonly #queue = new SerialQueue()
  readonly #models = new Map<string, Promise<StepModel>>()
  #opened: readonly StepModel[] = []
  /** The document whose pages come one after another. */
  #document: { readonly source: RestoreInput; readonly plan: Plan } | undefined
  #isClosed = false

  private constructor(
    options: AutoOptions,
    { parts, inspector, overrides }: { parts: RepairParts; inspector: Inspector; overrides: Overrides },
  ) {
    this.#options = options
    this.#parts = parts
    this.#inspector = inspector
    this.#overrides = overrides
  }

  /** Opens the inspecting network, with options that have been checked. @internal */
  static async open(options: AutoOptions, parts = packaged): Promise<AutoRestorer> {
    const overrides = checkAuto(options)
    const inspector = await parts.openInspector(options)
    return new AutoRestorer(options, { parts, inspector, overrides })
  }

  get device(): string {
    return this.#opened[0]?.facts.device ?? 'cpu'
  }

  get license(): License {
    return this.#opened.length > 0 ? strictestLicense(this.#opened) : licenses.apache
  }

  get scale(): number {
    return this.#options.scale ?? 1
  }

  get notes(): readonly string[] {
    return []
  }

  /** @internal */
  get identity(): object {
    const available = damageRules.flatMap(({ models }) => models).filter(this.#parts.isAvailable)
    const models = [...new Set(available)]
    const { dtype = 'float32' } = this.#options
    return {
      task: autoTask,
      inspector: this.#inspector.sha256,
      models,
      // What 'auto' tries first here, as a run may be continued on another processor.
      dtype: dtype === 'auto' ? placementsOfMeasured(this.#options)[0]?.dtype : dtype,
      scale: this.scale,
      ...this.#overrides,
    }
  }

  /** Looks at a picture and tells what would be done; `strength` is the largest of a step. */
  async plan(input: RestoreInput, options: RunPictureOptions = {}): Promise<Plan> {
    checkOptions('plan', options, runRules)
    if (this.#isClosed) throw closed()
    const decoded = await readInput(input, options)
    const look = await this.#look(planesOfPicture(decoded), await fileOf(input), options.signal)
    return this.#planOf(look, options)
  }

  /** Repairs a picture; `strength` is the largest of a step. */
  async run(input: RestoreInput, options: RunPictureOptions = {}): Promise<RestoreResult> {
    checkOptions('run', options, runRules)
    return this.runRead(readInput(input, options), options, input)
  }

  /** @internal */
  async runRead(
    reading: Promise<DecodedInput>,
    options: RunPictureOptions,
    source?: RestoreInput,
  ): Promise<RestoreResult> {
    // An abort may end the turn before the picture is awaited.
    reading.catch(() => {})
    if (this.#isClosed) throw closed()
    refuseForSteps(options)
    return runInSteps({
      ...{ queue: this.#queue, scale: this.scale, options, read: () => reading },
      restore: async (planes) =>
        options.page === undefined
          ? this.#repair(planes, options, { file: await fileOf(source) })
          : this.#repair(planes, options, { document: source }),
    })
  }

  /** Repairs planes [1|3 h w] in 0..1; `strength` is the largest of a step. */
  async runPlanes(image: Image, options: PictureOptions = {}): Promise<Image> {
    checkOptions('runPlanes', options, pictureRules)
    checkPlanes(image)
    if (this.#isClosed) throw closed()
    refuseForSteps(options)
    const repair = async () => wholeOf((await this.#repair(image, options)).image)
    return this.#queue.run(repair, options.signal)
  }

  async #look(
    image: Image | PartedImage,
    file: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Look> {
    const estimates = estimateDamage(image, file && jpegFileQuality(file))
    return {
      estimates,
      findings: findDamage(await this.#inspector.inspect(image, estimates, signal), estimates),
    }
  }

  #planOf({ findings, estimates }: Look, { strength = 1 }: RunPictureOptions): Plan {
    const { isAvailable } = this.#parts
    return planRepair(findings, { estimates, overrides: this.#overrides, isAvailable, strength })
  }

  /** The plan for a picture; pages of a document share that of the first. */
  #planFor(look: Look, options: RunPictureOptions, document: RestoreInput | undefined): Plan {
    if (document === undefined) return this.#planOf(look, options)
    if (this.#document?.source !== document)
      this.#document = { source: document, plan: this.#planOf(look, options) }
    return { ...this.#document.plan, findings: look.findings }
  }

  async #repair(
    planes: Image | PartedImage,
    options: RunPictureOptions,
    { file, document }: Source = {},
  ): Promise<SteppedPlanes> {
    const { signal } = options
    const plan = this.#planFor(await this.#look(planes, file, signal), options, document)
    const { image, steps, done, refused } = await repairPicture(planes, plan, {
      ...{ scale: this.scale, options },
      model: (request) => this.#model(request),
      // The file says nothing about what a step made of its pixels.
      look: async (one) => (await this.#look(one, undefined, signal)).findings,
    })
    const last = this.#opened.find(({ facts }) => facts.sha256 === steps.at(-1)?.sha256)
    const { findings, untreated } = plan
    return {
      ...{ image, steps, facts: last?.facts ?? this.#ownFacts },
      original: steps.length === 0 ? file : undefined,
      extra: { repair: { findings, done, refused, untreated } },
    }
  }

  /** What a result reports where no network changed the picture. */
  get #ownFacts(): SteppedPlanes['facts'] {
    const { sha256 } = this.#inspector
    return {
      model: 'light-inspect',
      network: 'light-inspect',
      sha256,
      device: this.device,
      backend: 'onnx',
      dtype: 'float32',
    }
  }

  #model(request: Pick<RestorerOptions, 'model' | 'task' | 'scale'>): Promise<StepModel> {
    const key = JSON.stringify(request)
    const known = this.#models.get(key)
    if (known) return known
    const { only: _, never: __, damage: ___, guide: ____, ...options } = this.#options
    const opening = this.#parts.openModel({ ...options, scale: undefined, ...request })
    this.#models.set(key, opening)
    opening.then(
      (model) => {
        this.#opened = [...this.#opened, model]
      },
      () => this.#models.delete(key),
    )
    return opening
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const models = await Promise.allSettled(this.#models.values())
    const open = models.flatMap((model) => (model.status === 'fulfilled' ? [model.value] : []))
    await Promise.all([this.#inspector.close(), ...open.map((model) => model.close())])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Where a picture comes from. */
interface Source {
  /** Bytes of its file, if it is all that is in it. */
  readonly file?: Uint8Array | undefined
  /** The file of several pages, of which it is one. */
  readonly document?: RestoreInput | undefined
}

interface Look {
  readonly estimates: Estimates
  readonly findings: readonly DamageFinding[]
}

/** Checks options of `auto` before anything opens. @throws RestoreError 'usage' */
export function checkAuto(options: AutoOptions): Overrides {
  const given = ofOneNetwork.find((name) => options[name] !== undefined)
  if (given !== undefined)
    throw new RestoreError(
      'usage',
      `${given}: expected none beside task auto, which chooses the networks, got ${JSON.stringify(options[given])}; name a task, or leave it out`,
    )
  if (options.dtype === 'bfloat16')
    throw new RestoreError(
      'usage',
      'dtype: expected auto or float32 beside task auto, which chooses the networks, got bfloat16; name a task, or choose auto',
    )
  const [option] = Object.keys(options.options ?? {})
  if (option !== undefined)
    throw new RestoreError(
      'usage',
      `options: expected none beside task auto, which chooses the networks, got ${option}; name a task, or leave it out`,
    )
  return checkOverrides(options)
}

/** Bytes of the file of an input; undefined for other inputs. */
async function fileOf(input: RestoreInput | undefined): Promise<Uint8Array | undefined> {
  if (input instanceof Uint8Array) return input
  // A pipe can be read once only, and its picture has been.
  const isFile = typeof input === 'string' && statSync(input, { throwIfNoEntry: false })?.isFile() === true
  return isFile ? readFile(input) : undefined
}

/**
 * Opens the network that looks at photos; others open when a photo needs them.
 * @throws RestoreError 'usage', 'checkpoint', 'environment'
 * @example
 * await using restorer = await createAutoRestorer()
 * const result = await restorer.run('photo.jpg')
 * console.log(result.info.repair)
 */
export async function createAutoRestorer(options: AutoOptions = {}): Promise<AutoRestorer> {
  checkOptions('createAutoRestorer', options, { ...restorerRules, ...overrideRules })
  return AutoRestorer.open(options)
}
