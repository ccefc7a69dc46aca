// Restores photos in a worker by whatever task a page asks for: networks are opened as they are needed, with weights
// from the page's store, and those of the last pictures stay open.

import { type Estimates, estimateDamage } from '../../auto/estimates/estimate.ts'
import { type DamageFinding, findDamage } from '../../auto/plan/findings.ts'
import { checkOverrides } from '../../auto/plan/overrides.ts'
import { type Plan, planRepair } from '../../auto/plan/plan.ts'
import { memorySource } from '../../checkpoints/checkpoint.ts'
import { openCheckpoint } from '../../checkpoints/open.ts'
import { RestoreError } from '../../core/errors.ts'
import { checkOptions } from '../../core/options.ts'
import { srgbTransform } from '../../data/colors/srgbTransform.ts'
import type { Image, Pixels } from '../../data/image.ts'
import type { PartedImage } from '../../data/parts.ts'
import { autoTask } from '../../models/tasks.ts'
import { findCard } from '../../registry/cards.ts'
import { loadModel } from '../../registry/loadModel.ts'
import { inspectPhoto } from '../../runtime/inspectPhoto.ts'
import { SerialQueue } from '../../runtime/jobs/serialQueue.ts'
import { checkContradictions, defaultCard, isAuto, taskOptions, tasksOf } from '../../runtime/modelChoice.ts'
import type { RawInput } from '../../runtime/pictures/pictureTypes.ts'
import { planesOfPicture } from '../../runtime/pictures/planePicture.ts'
import { previewRepair, repairPicture, type StepRequest } from '../../runtime/repair.ts'
import { NetworkSessions, sessionWithParts } from '../../runtime/session/networkSessions.ts'
import { tracedSession } from '../../runtime/session/onnxSession.ts'
import { refuseForSteps, runAll, runSteps, type SteppedPlanes } from '../../runtime/steps.ts'
import { type PictureOptions, pictureRules } from '../../runtime/tiledRestoration.ts'
import {
  type Converted,
  type ConvertRequest,
  type EngineFacts,
  type EngineRequest,
  type EngineSettings,
  engineRules,
  type Region,
  type SentInput,
} from '../engineTypes.ts'
import { hashOf } from '../fetchBytes.ts'
import { convertByBrowser } from '../files/convertByBrowser.ts'
import { type ReadPicture, readPicture } from '../files/readPicture.ts'
import { writePicture } from '../files/writePicture.ts'
import { reportedInfo, type WebPlatform } from '../platform.ts'
import { bytesOf, type WeightsInput } from '../readWeights.ts'
import { isPackaged, weightsFiles } from '../store/weightsFiles.ts'
import { WeightsStore } from '../store/weightsStore.ts'
import { WebRestorer } from '../webRestorer.ts'
import { type WebResult, wrapResult } from '../webResult.ts'

/** Networks that stay open. */
const maxOpen = 3

const inspectorModel = 'light-inspect'

/** A network that looks at photos. */
interface Inspector {
  readonly sha256: string
  inspect(
    photo: Image | PartedImage,
    estimates: Estimates,
    signal: AbortSignal | undefined,
  ): ReturnType<typeof inspectPhoto>
}

interface Look {
  readonly findings: readonly DamageFinding[]
  readonly estimates: Estimates
}

/** What is known of the last picture: previews and plans ask for it again and again. */
interface Known {
  readonly id: number
  readonly page: number | undefined
  readonly picture: Promise<ReadPicture>
  look: Promise<Look> | undefined
}

/** Restores one picture at a time. */
export class PhotoEngine {
  readonly #platform: WebPlatform
  readonly #settings: EngineSettings
  readonly #store = new WeightsStore()
  readonly #queue = new SerialQueue()
  /** Open networks by what opened them, the least recently used first. */
  readonly #open = new Map<string, Promise<WebRestorer>>()
  #inspector: Promise<Inspector> | undefined
  #known: Known | undefined
  #notes: string[] = []
  #device: string | undefined

  constructor(platform: WebPlatform, settings: EngineSettings) {
    this.#platform = platform
    this.#settings = settings
  }

  get facts(): EngineFacts {
    const isIsolated = Reflect.get(globalThis, 'crossOriginIsolated') === true
    return { device: this.#device, threads: this.#platform.threads ?? 1, isIsolated }
  }

  /** Looks at a picture and tells what 'auto' would do. */
  plan(input: SentInput, request: EngineRequest): Promise<Plan> {
    return this.#queue.run(() => this.#planOf(input, request), request.signal)
  }

  /** Converts a file to PNG; it waits for no picture that is being restored. */
  async convert(input: Blob, request: ConvertRequest): Promise<Converted> {
    const { decoders } = this.#platform
    const { pixels, metadata, notes = [] } = await readPicture(input, { ...request, decoders })
    const toSrgb = await srgbTransform(metadata?.icc, convertByBrowser)
    return { file: await writePicture({ pixels, metadata, toSrgb }, {}), notes }
  }

  /** Restores a picture. */
  async run(input: SentInput, request: EngineRequest): Promise<WebResult> {
    checkOptions('run', request, engineRules)
    const tasks = tasksOf(request.task)
    const isLooking = isAuto(request)
    if (!isLooking) refuseOverrides(request)
    if (isLooking || tasks.length > 1) return this.#runSteps(input, request, isLooking ? undefined : tasks)
    const picture = pictureOptionsOf(request)
    return this.#queue.run(async () => {
      const restorer = await this.#restorer(request, request)
      const read = async () => regionOf(await this.#read(input, request), request.region)
      return this.#finished(await restorer.runRead(read, picture))
    }, request.signal)
  }

  async #runSteps(
    input: SentInput,
    request: EngineRequest,
    tasks: readonly string[] | undefined,
  ): Promise<WebResult> {
    refuseForSteps(request)
    refuseModel(request)
    const options = pictureOptionsOf(request)
    const scale = await this.#scaleOf(tasks, request)
    return runSteps({
      ...{ queue: this.#queue, scale, options },
      read: async () => regionOf(await this.#read(input, request), request.region),
      restore: (planes) =>
        tasks ? this.#runAll(planes, tasks, request) : this.#repair(planes, input, request),
      wrap: async ({ info, ...restored }, picture) => {
        const wrapped = { ...restored, info: reportedInfo(info, this.#platform, info.device) }
        const isSame = info.steps?.length === 0 && request.region === undefined
        return this.#finished(await wrapResult(wrapped, picture, isSame ? picture.file : undefined))
      },
    })
  }

  async #runAll(
    planes: PartedImage,
    tasks: readonly string[],
    request: EngineRequest,
  ): Promise<SteppedPlanes> {
    const restorers: WebRestorer[] = []
    for (const task of tasks) {
      const scale = task === 'upscale' ? request.scale : undefined
      restorers.push(await this.#restorer({ task, scale }, request))
    }
    return runAll(restorers, planes, { tasks, options: pictureOptionsOf(request) })
  }

  /** Output side divided by input side of all tasks. */
  async #scaleOf(tasks: readonly string[] | undefined, request: EngineRequest): Promise<number> {
    if (!tasks) return request.scale ?? 1
    if (!tasks.includes('upscale')) return 1
    return (await this.#restorer({ task: 'upscale', scale: request.scale }, request)).scale
  }

  async #repair(planes: PartedImage, input: SentInput, request: EngineRequest): Promise<SteppedPlanes> {
    const plan = await this.#planOf(input, request)
    const { scale = 1 } = request
    const context = {
      ...{ scale, options: pictureOptionsOf(request) },
      model: (step: StepRequest) => this.#restorer(step, request),
    }
    const repaired = await (request.region
      ? previewRepair(planes, plan, context)
      : repairPicture(planes, plan, {
          ...context,
          look: async (image) => (await this.#lookAt(image, { request, jpegQuality: undefined })).findings,
        }))
    const { image, steps, done, refused } = repaired
    const last = steps.at(-1)
    const { sha256 } = await this.#inspectorFor(request)
    const model = last?.model ?? inspectorModel
    const device = this.#platform.host.deviceFor((this.#device ?? 'cpu') as 'cpu')
    return {
      ...{ image, steps },
      facts: {
        model,
        network: last ? findCard(model).model : inspectorModel,
        sha256: last?.sha256 ?? sha256,
        device,
        backend: 'onnx',
        dtype: 'float32',
      },
      extra: { repair: { findings: plan.findings, done, refused, untreated: plan.untreated } },
    }
  }

  async #planOf(input: SentInput, request: EngineRequest): Promise<Plan> {
    const overrides = checkOverrides(request)
    const picture = await this.#read(input, request)
    const known = this.#known
    const { jpegQuality } = picture
    const looking = known?.look ?? this.#lookAt(planesOfPicture(picture), { request, jpegQuality })
    if (known) {
      known.look = looking
      looking.catch(() => {
        known.look = undefined
      })
    }
    const { findings, estimates } = await looking
    return planRepair(findings, {
      ...{ estimates, overrides, isAvailable: isPackaged },
      strength: request.strength ?? 1,
    })
  }

  async #lookAt(
    image: Image | PartedImage,
    { request, jpegQuality }: { readonly request: EngineRequest; readonly jpegQuality: number | undefined },
  ): Promise<Look> {
    const inspector = await this.#inspectorFor(request)
    const estimates = estimateDamage(image, jpegQuality)
    const verdict = await inspector.inspect(image, estimates, request.signal)
    return { estimates, findings: findDamage(verdict, estimates) }
  }

  /** Reads a picture; the last one is known. */
  #read({ id, input }: SentInput, { page, name }: EngineRequest): Promise<ReadPicture> {
    if (this.#known?.id === id && this.#known.page === page) return this.#known.picture
    const { decoders } = this.#platform
    const picture = readPicture(input as Blob | RawInput, { name, page, decoders })
    this.#known = { id, page, picture, look: undefined }
    picture.catch(() => {
      this.#known = undefined
    })
    return picture
  }

  #inspectorFor({ guide, signal, onProgress }: EngineRequest): Promise<Inspector> {
    this.#inspector ??= this.#openInspector(guide, { signal, onProgress })
    this.#inspector.catch(() => {
      this.#inspector = undefined
    })
    return this.#inspector
  }

  async #openInspector(
    guide: WeightsInput | undefined,
    options: Pick<EngineRequest, 'signal' | 'onProgress'>,
  ): Promise<Inspector> {
    if (guide === undefined && !isPackaged(inspectorModel))
      throw new RestoreError(
        'usage',
        `auto: expected weights of ${inspectorModel}, which looks at photos, got none; pass them as guide, or name a task`,
      )
    const bytes =
      guide === undefined
        ? await this.#weightsOf(inspectorModel, options)
        : [await bytesOf(guide, 'guide', options)]
    const model = loadModel(openCheckpoint(memorySource(bytes[0]!, inspectorModel)))
    const { host } = this.#platform
    const sessions = new NetworkSessions(model, async (part) =>
      tracedSession(part, (onnx) => host.open(onnx, 'cpu')),
    )
    const session = sessionWithParts(sessions)
    const sha256 = (await hashOf(bytes[0]!)) ?? ''
    return { sha256, inspect: (photo, estimates, signal) => inspectPhoto(session, photo, estimates, signal) }
  }

  /** Bytes of a model's files: its weights, and a guide if it has one. */
  async #weightsOf(
    model: string,
    options: Pick<EngineRequest, 'signal' | 'onProgress'>,
  ): Promise<readonly Uint8Array<ArrayBuffer>[]> {
    const files: Uint8Array<ArrayBuffer>[] = []
    for (const file of weightsFiles(model, this.#settings)) {
      const { bytes, notes } = await this.#store.read(file, options)
      files.push(bytes)
      this.#notes.push(...notes)
    }
    return files
  }

  /** The open restorer of a request; weights of the caller's own are opened for one picture after another. */
  #restorer(step: StepRequest & Partial<EngineRequest>, request: EngineRequest): Promise<WebRestorer> {
    const { model, task, scale, weights, guide, tensors, options } = step
    const own = weights instanceof Blob ? [weights.size, nameOfBlob(weights)] : weights && [String(weights)]
    const key = JSON.stringify({ model, task, scale, own, tensors, options, guide: guide !== undefined })
    const known = this.#open.get(key)
    this.#open.delete(key)
    const opening = known ?? this.#openRestorer(step, request)
    this.#open.set(key, opening)
    opening.catch(() => this.#open.delete(key))
    const [oldest] = this.#open
    if (this.#open.size > maxOpen && oldest) {
      this.#open.delete(oldest[0])
      oldest[1].then((restorer) => restorer.close()).catch(() => {})
    }
    return opening
  }

  async #openRestorer(
    step: StepRequest & Partial<EngineRequest>,
    { signal, onProgress }: EngineRequest,
  ): Promise<WebRestorer> {
    const { model, task, scale, weights, guide, tensors, options = {} } = step
    const { device } = this.#settings
    const common = { device, scale, signal, onProgress }
    const opened = await (weights === undefined
      ? this.#openCard({ model, task, scale, options }, common)
      : WebRestorer.open({ ...common, weights, guide, tensors, model, options }, this.#platform))
    this.#device = opened.device
    return opened
  }

  async #openCard(
    { model, task, scale, options }: StepRequest & { readonly options: object },
    common: Pick<EngineRequest, 'signal' | 'onProgress'> & { readonly device?: EngineSettings['device'] },
  ): Promise<WebRestorer> {
    const card = model === undefined ? defaultCard(task, scale) : findCard(model)
    checkContradictions(card, { model, task })
    const [weights, guide] = await this.#weightsOf(card.id, common)
    const all = { ...(task === undefined ? {} : taskOptions(card.model, task)), ...options }
    return WebRestorer.open(
      { ...common, weights: weights!, guide, model: card.id, options: all },
      this.#platform,
    )
  }

  /** Adds what there is to say about weights. */
  #finished(result: WebResult): WebResult {
    const notes = [...result.info.notes, ...this.#notes]
    this.#notes = []
    return result.withInfo({ ...result.info, notes })
  }
}

function nameOfBlob(blob: Blob): unknown {
  const { name, lastModified }: { readonly name?: unknown; readonly lastModified?: unknown } = blob as object
  return [name, lastModified]
}

/** Options of restoring alone. */
function pictureOptionsOf(request: EngineRequest): PictureOptions {
  return Object.fromEntries(Object.entries(request).filter(([name]) => Object.hasOwn(pictureRules, name)))
}

/** Refuses options of one network where there are several. @throws RestoreError 'usage' */
function refuseModel({ task = autoTask, model, weights, tensors }: EngineRequest): void {
  const given = Object.entries({ model, weights, tensors }).find(([, value]) => value !== undefined)
  if (given)
    throw new RestoreError(
      'usage',
      `${given[0]}: expected none beside task ${task}, which takes several networks, got one; name one task`,
    )
}

/** Refuses what only task auto heeds. @throws RestoreError 'usage' */
function refuseOverrides({ only, never, damage }: EngineRequest): void {
  const given = Object.entries({ only, never, damage }).find(([, value]) => value !== undefined)
  if (given)
    throw new RestoreError(
      'usage',
      `${given[0]}: expected task auto, which finds damage, got another; name it, or leave this out`,
    )
}

/** A part of a picture. @throws RestoreError 'usage' for one outside it */
function regionOf(picture: ReadPicture, region: Region | undefined): ReadPicture {
  if (!region) return picture
  const { pixels } = picture
  const { left, top, width, height } = region
  const isInside =
    [left, top, width, height].every(Number.isInteger) &&
    left >= 0 &&
    top >= 0 &&
    width > 0 &&
    height > 0 &&
    left + width <= pixels.width &&
    top + height <= pixels.height
  if (!isInside)
    throw new RestoreError(
      'usage',
      `region: expected a part of ${pixels.width} × ${pixels.height} pixels, got ${width} × ${height} at ${left}, ${top}`,
    )
  return { ...picture, pixels: cropped(pixels, region) }
}

function cropped(pixels: Pixels, { left, top, width, height }: Region): Pixels {
  const step = pixels.channels + (pixels.hasAlpha ? 1 : 0)
  const Samples = pixels.data instanceof Uint16Array ? Uint16Array : Uint8Array
  const data = new Samples(width * height * step)
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * pixels.width + left) * step
    data.set(pixels.data.subarray(from, from + width * step), y * width * step)
  }
  return { ...pixels, width, height, data }
}
