// The main call in a browser: a network open on a runtime that the caller brings, and pictures through it.

import { openCheckpoint } from '../checkpoints/open.ts'
import { memorySource } from '../checkpoints/stored.ts'
import { RestoreError } from '../core/errors.ts'
import type { Image, Pixels } from '../data/image.ts'
import { findCard, type LoadedModel, loadModel } from '../registry/builders.ts'
import type { License } from '../registry/cards.ts'
import { examine, type NetworkRequest, untoldOptions } from '../runtime/asked.ts'
import { Engine, type PictureOptions } from '../runtime/engine.ts'
import { type RawInput, type RestoreInfo, readRaw } from '../runtime/picture.ts'
import { checkGuide, guideNeed, refuseGuide } from '../runtime/sampling/guide.ts'
import { failureOf } from '../runtime/session/failure.ts'
import { type Guide, PartSessions, partedSession } from '../runtime/session/openNetwork.ts'
import { probe } from '../runtime/session/probe.ts'
import { type OnnxRuntime, openOnnx, tracedSession } from '../runtime/session/session.ts'
import type { TileRequest } from '../runtime/tiles/plan.ts'
import { decodeBlob } from './canvas.ts'
import { WebResult } from './result.ts'

/** The bytes of a checkpoint, or where to fetch them. */
export type WeightsInput = URL | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>

export interface WebRestorerOptions extends TileRequest, NetworkRequest {
  /** `import * as ort from 'onnxruntime-web'`. */
  readonly runtime: OnnxRuntime
  readonly weights: WeightsInput
  /** Id of the card that the weights are of: other weights are refused. */
  readonly model?: string | undefined
  /** The second network of some that sample. */
  readonly guide?: WeightsInput | undefined
  /** Options of the network that its weights do not tell. */
  readonly options?: object | undefined
  /** 'auto' takes WebGPU where it works, else the processor. */
  readonly device?: 'auto' | Device | undefined
  /** Memory that the tiles of a picture may take; 1 GiB unless given, as WebAssembly has at most 4. */
  readonly memoryBytes?: number | undefined
}

export interface RunOptions extends PictureOptions {
  /** What errors call the picture. */
  readonly name?: string | undefined
}

type Device = 'webgpu' | 'cpu'

interface Opened {
  readonly model: string
  readonly network: LoadedModel
  readonly license: License
  readonly sha256: string
  readonly device: Device
  readonly sessions: readonly PartSessions[]
}

/** A network, open until it is closed; pictures may be given at once and are restored in turn. */
export class WebRestorer implements AsyncDisposable {
  readonly #opened: Opened
  readonly #engine: Engine
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(opened: Opened, engine: Engine) {
    this.#opened = opened
    this.#engine = engine
  }

  static async open(options: WebRestorerOptions): Promise<WebRestorer> {
    const { runtime, memoryBytes = 2 ** 30 } = options
    const card = options.model === undefined ? undefined : findCard(options.model)
    const given = { ...(card ? untoldOptions(card) : {}), ...options.options }
    const bytes = await bytesOf(options.weights, 'weights')
    const checkpoint = openCheckpoint(memorySource(bytes))
    const asked = { weights: 'weights', checkpoint, card, given }
    const found = examine(asked, { ...options, guide: options.guide && 'a guide' })
    const guideModel = found.trained && (await readGuide(found, options.guide))
    const network = loadModel(checkpoint, given)
    const device = await deviceFor(runtime, options.device ?? 'auto')
    const open = (model: LoadedModel) => new PartSessions(model, (part) => sessionOn(runtime, part, device))
    const [sessions, guideSessions] = [open(network), guideModel && open(guideModel)]
    const guide = guideModel && guideSessions && guideOf(guideModel, guideSessions)
    const engine = new Engine({
      network: { model: found.model, options: found.options, session: partedSession(sessions), guide },
      ...{ trained: found.trained, request: options, freeBytes: memoryBytes },
    })
    const opened = {
      ...{ model: card?.id ?? found.model, network, license: found.license, device },
      ...{ sha256: await hashOf(bytes), sessions: guideSessions ? [sessions, guideSessions] : [sessions] },
    }
    return new WebRestorer(opened, engine)
  }

  /** What really computes. */
  get device(): Device {
    return this.#opened.device
  }

  /** What the weights may be used for. */
  get license(): License {
    return this.#opened.license
  }

  /** Side of a result over that of its picture. */
  get scale(): number {
    return this.#engine.scale
  }

  /** Restores a file, ImageData or samples of any size. */
  async run(input: Blob | RawInput, options: RunOptions = {}): Promise<WebResult> {
    const { name = 'image', onProgress } = options
    const started = performance.now()
    this.#engine.check(options)
    onProgress?.({ phase: 'read', done: 0, total: 1 })
    const read = readRaw(input instanceof Blob ? await decodeBlob(input, name) : input, name)
    return this.#inTurn(async () => {
      const restoring = performance.now()
      const {
        pixels,
        samples,
        spread,
        info: done,
      } = await this.#engine.restorePixels(read.pixels, read.depth === 16, options)
      const { model, network, sha256, device } = this.#opened
      const info: RestoreInfo = {
        ...{ model, network: network.id, sha256, device, backend: 'onnx' },
        seconds: { read: (restoring - started) / 1000, restore: (performance.now() - restoring) / 1000 },
        ...done,
      }
      const resultOf = (one: Pixels) => new WebResult({ pixels: one, info })
      return new WebResult({
        ...{ pixels, info, samples: samples.map(resultOf), spread: spread && resultOf(spread) },
      })
    })
  }

  /** Restores planes [c h w] as the network has them, neither clamped nor rounded: to measure, or to go on with. */
  runPlanes(image: Image, options: PictureOptions = {}): Promise<Image> {
    return this.#inTurn(() => this.#engine.restorePlanes(image, options))
  }

  async close(): Promise<void> {
    await this.#inTurn(() => Promise.all(this.#opened.sessions.map((one) => one.close())))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action)
    this.#turn = result.catch(() => {})
    return result
  }
}

/** Opens a network in a browser. */
export function createRestorer(options: WebRestorerOptions): Promise<WebRestorer> {
  return WebRestorer.open(options)
}

async function bytesOf(input: WeightsInput, name: string): Promise<Uint8Array<ArrayBuffer>> {
  if (input instanceof Uint8Array) return input
  if (input instanceof ArrayBuffer) return new Uint8Array(input)
  if (input instanceof Blob) return new Uint8Array(await input.arrayBuffer())
  const response = await fetch(input).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RestoreError('input', `${name}: ${input} cannot be fetched (${reason})`, { cause: error })
  })
  if (response.ok) return new Uint8Array(await response.arrayBuffer())
  throw new RestoreError('input', `${name}: expected a file at ${input}, got the answer ${response.status}`)
}

async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

type Found = ReturnType<typeof examine>

async function readGuide(network: Found, input: WeightsInput | undefined): Promise<LoadedModel | undefined> {
  const need = guideNeed(network)
  const names = { weights: 'weights', guide: 'a guide' }
  if (!need) return input && refuseGuide(network, names)
  if (!input) throw new RestoreError('usage', `guide: expected ${need.words}, beside these weights, got none`)
  const checkpoint = openCheckpoint(memorySource(await bytesOf(input, 'guide')))
  checkGuide(checkpoint, need, names)
  return loadModel(checkpoint)
}

function guideOf({ id, options }: LoadedModel, sessions: PartSessions): Guide {
  return { kind: id === 'daclip' ? 'daclip' : 'latent-unet', options, session: partedSession(sessions) }
}

async function sessionOn(runtime: OnnxRuntime, { forward }: Pick<LoadedModel, 'forward'>, device: Device) {
  return tracedSession({ forward }, (onnx) =>
    openOnnx(runtime, onnx, { executionProviders: [device], graphOptimizationLevel: 'all' }),
  )
}

/** WebGPU where it computes what the processor does. */
async function deviceFor(runtime: OnnxRuntime, device: 'auto' | Device): Promise<Device> {
  if (device === 'cpu') return device
  if (device === 'auto' && !('gpu' in Object(Reflect.get(globalThis, 'navigator')))) return 'cpu'
  try {
    const on = (one: Device) => (_: object, forward: LoadedModel['forward']) =>
      sessionOn(runtime, { forward }, one)
    await probe('webgpu', on('webgpu'), on('cpu'))
    return 'webgpu'
  } catch (error) {
    if (device === 'auto') return 'cpu'
    throw new RestoreError(
      'environment',
      `webgpu: does not work here (${failureOf(error).message}); use cpu`,
      {
        cause: error,
      },
    )
  }
}
