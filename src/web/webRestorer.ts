// The main call in a browser: a network open on a runtime that the caller brings, and pictures through it.

import { memorySource } from '../checkpoints/checkpoint.ts'
import { openCheckpoint } from '../checkpoints/open.ts'
import { messageOf, RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import type { Image, Pixels } from '../data/image.ts'
import type { License } from '../registry/cards.ts'
import { findCard, type LoadedModel, loadModel } from '../registry/networks.ts'
import {
  checkRequest,
  type FoundNetwork,
  type NetworkRequest,
  untoldOptions,
} from '../runtime/checkRequest.ts'
import type { OnProgress } from '../runtime/jobs/progress.ts'
import { checkAborted, SerialQueue } from '../runtime/jobs/serialQueue.ts'
import { type RawInput, readRaw } from '../runtime/pictures/pictureTypes.ts'
import { checkGuide, guideNeed, refuseGuide } from '../runtime/sampling/guide.ts'
import { checkDevice, deviceCheckOutput } from '../runtime/session/deviceCheck.ts'
import { guideOf, NetworkSessions, sessionWithParts } from '../runtime/session/networkSessions.ts'
import { type OnnxRuntime, openOnnx, tracedSession } from '../runtime/session/onnxSession.ts'
import { type PictureOptions, TiledRestoration } from '../runtime/tiledRestoration.ts'
import type { TileRequest } from '../runtime/tiles/tilePlan.ts'
import { decodeBlob } from './canvas.ts'
import { fetchBytes } from './fetchBytes.ts'
import { type WebInfo, WebResult } from './webResult.ts'

/** The bytes of a checkpoint, or where to fetch them. */
export type WeightsInput = string | URL | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>

export interface WebRestorerOptions extends TileRequest, NetworkRequest {
  /** `import * as ort from 'onnxruntime-web/webgpu'`. */
  readonly runtime: OnnxRuntime
  readonly weights: WeightsInput
  /** Id of the card that the weights are of: other weights are refused. */
  readonly model?: string | undefined
  /** The second network of some that sample. */
  readonly guide?: WeightsInput | undefined
  /** Options of the network that its weights do not tell. */
  readonly options?: object | undefined
  /** 'auto' takes WebGPU where it computes what the processor does, else the processor. */
  readonly device?: 'auto' | Device | undefined
  /** Memory that a tile may take besides the network itself; 1 GiB unless given, as WebAssembly has at most 4. */
  readonly memoryBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** In bytes of what is fetched. */
  readonly onProgress?: OnProgress | undefined
}

export interface RunOptions extends PictureOptions {
  /** What errors call the picture. */
  readonly name?: string | undefined
}

type Device = 'webgpu' | 'cpu'

interface Opened {
  readonly info: Pick<WebInfo, 'model' | 'network' | 'sha256' | 'device' | 'backend'>
  readonly device: Device
  readonly license: License
  readonly sessions: readonly NetworkSessions[]
}

/** A network, open until it is closed; pictures may be given at once and are restored in turn. */
export class WebRestorer implements AsyncDisposable {
  readonly #opened: Opened
  readonly #engine: TiledRestoration
  readonly #turns = new SerialQueue()
  #isClosed = false

  private constructor(opened: Opened, engine: TiledRestoration) {
    this.#opened = opened
    this.#engine = engine
  }

  static async open(options: WebRestorerOptions): Promise<WebRestorer> {
    const { runtime, memoryBytes = 2 ** 30, signal } = options
    const card = options.model === undefined ? undefined : findCard(options.model)
    const given = { ...(card ? untoldOptions(card) : {}), ...options.options }
    const bytes = await bytesOf(options.weights, 'weights', options)
    const checkpoint = openCheckpoint(memorySource(bytes, 'weights'))
    const asked = { weights: 'weights', checkpoint, card, given }
    const found = checkRequest(asked, { ...options, guide: options.guide && 'a guide' })
    const guideModel = found.trained && (await readGuide(found, options))
    const network = loadModel(checkpoint, given)
    const device = await deviceFor(runtime, options.device ?? 'auto')
    const sha256 = await hashOf(bytes)
    checkAborted(signal)
    const open = (model: LoadedModel) =>
      new NetworkSessions(model, async (part) => sessionOn(runtime, part, device))
    const sessions = open(network)
    const guideSessions = guideModel && open(guideModel)
    const guide = guideSessions && guideOf(guideModel.id, guideModel.options, sessionWithParts(guideSessions))
    const { model, options: own, license, trained } = found
    const engine = new TiledRestoration({
      network: { model, options: own, session: sessionWithParts(sessions), guide },
      // Tiles are planned for half of what is free, less the network.
      freeBytes: 2 * (memoryBytes + network.builder.memory(own).fixedBytes),
      ...{ trained, request: options },
    })
    const info = { model: card?.id ?? model, network: model, sha256, device, backend: 'onnx' } as const
    const opened = { info, device, license, sessions: guideSessions ? [sessions, guideSessions] : [sessions] }
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
    this.#engine.check(options)
    return this.#inTurn(options, async () => {
      const started = performance.now()
      onProgress?.({ phase: 'read', done: 0, total: 1 })
      const read = readRaw(input instanceof Blob ? await decodeBlob(input, name) : input, name)
      const restoring = performance.now()
      const restored = await this.#engine.restorePixels(read.pixels, read.depth === 16, options)
      const { pixels, samples, spread } = restored
      const info: WebInfo = {
        ...this.#opened.info,
        seconds: { read: (restoring - started) / 1000, restore: (performance.now() - restoring) / 1000 },
        ...restored.info,
      }
      const resultOf = (one: Pixels) => new WebResult({ pixels: one, info })
      return new WebResult({
        ...{ pixels, info, samples: samples.map(resultOf), spread: spread && resultOf(spread) },
      })
    })
  }

  /** Restores planes [c h w] as the network has them, neither clamped nor rounded: to measure, or to go on with. */
  runPlanes(image: Image, options: PictureOptions = {}): Promise<Image> {
    return this.#inTurn(options, () => this.#engine.restorePlanes(image, options))
  }

  /** Lets the picture that is being restored end; others are refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#turns.run(() => Promise.all(this.#opened.sessions.map((one) => one.close())))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #inTurn<T>({ signal }: PictureOptions, action: () => Promise<T>): Promise<T> {
    return this.#turns.run(() => {
      if (!this.#isClosed) return action()
      throw new RestoreError('usage', 'restore: expected an open restorer, got a closed one')
    }, signal)
  }
}

/** Opens a network in a browser. */
export function createRestorer(options: WebRestorerOptions): Promise<WebRestorer> {
  return WebRestorer.open(options)
}

type Fetching = Pick<WebRestorerOptions, 'signal' | 'onProgress'>

async function bytesOf(
  input: WeightsInput,
  name: string,
  options: Fetching,
): Promise<Uint8Array<ArrayBuffer>> {
  if (input instanceof Uint8Array) return input
  if (input instanceof ArrayBuffer) return new Uint8Array(input)
  if (input instanceof Blob) return new Uint8Array(await input.arrayBuffer())
  return fetchBytes(input, name, options)
}

/** Browsers hash nothing in pages that are not served safely. */
async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const subtle: typeof crypto.subtle | undefined = crypto.subtle
  if (!subtle) return undefined
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function readGuide(
  network: FoundNetwork,
  { guide, ...options }: Fetching & Pick<WebRestorerOptions, 'guide'>,
): Promise<LoadedModel | undefined> {
  const need = guideNeed(network)
  const names = { weights: 'weights', guide: 'a guide' }
  if (!need) return guide === undefined ? undefined : refuseGuide(network, names)
  if (guide === undefined)
    throw new RestoreError('usage', `guide: expected ${need.words}, beside these weights, got none`)
  const checkpoint = openCheckpoint(memorySource(await bytesOf(guide, 'guide', options), 'guide'))
  checkGuide(checkpoint, need, names)
  return loadModel(checkpoint)
}

/** A runtime opens and runs one graph at a time, whoever asks. */
const runtimeTurns = new WeakMap<OnnxRuntime, SerialQueue>()

function sessionOn(runtime: OnnxRuntime, { forward }: Pick<LoadedModel, 'forward'>, device: Device): Session {
  const turns = runtimeTurns.get(runtime) ?? new SerialQueue()
  runtimeTurns.set(runtime, turns)
  const options = { executionProviders: [device], graphOptimizationLevel: 'all' } as const
  return tracedSession({ forward }, async (onnx) => {
    const session = await turns.run(() => openOnnx(runtime, onnx, options))
    return {
      run: (inputs) => turns.run(() => session.run(inputs)),
      close: () => turns.run(() => session.close()),
    }
  })
}

/** The processor has to work; WebGPU has to compute what it does. */
async function deviceFor(runtime: OnnxRuntime, device: 'auto' | Device): Promise<Device> {
  if (!['auto', 'webgpu', 'cpu'].includes(device))
    throw new RestoreError('usage', `device: expected auto, webgpu or cpu, got ${device}`)
  const on = (one: Device) => (_: object, forward: LoadedModel['forward']) =>
    sessionOn(runtime, { forward }, one)
  const expected = await deviceCheckOutput(on('cpu')).catch((error: unknown) => {
    const advice = 'serve the files of onnxruntime-web, and name their folder in ort.env.wasm.wasmPaths'
    throw new RestoreError(
      'environment',
      `runtime: does not work in this page (${messageOf(error)}); ${advice}`,
      {
        cause: error,
      },
    )
  })
  if (device === 'cpu') return device
  if (device === 'auto' && !('gpu' in Object(Reflect.get(globalThis, 'navigator')))) return 'cpu'
  try {
    await checkDevice('webgpu', on('webgpu'), expected)
    return 'webgpu'
  } catch (error) {
    if (device === 'auto') return 'cpu'
    throw new RestoreError('environment', `webgpu: does not work here (${messageOf(error)}); use cpu`, {
      cause: error,
    })
  }
}
