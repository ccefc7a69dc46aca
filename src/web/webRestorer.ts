// The library's main entry in browsers: opens a network on the caller's ONNX Runtime and restores pictures
// with it.

import { memorySource } from '../checkpoints/checkpoint.ts'
import { openCheckpoint } from '../checkpoints/open.ts'
import { messageOf, RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import type { Pixels } from '../data/image.ts'
import type { NetworkDescription } from '../models/networkDescriptor.ts'
import { findCard } from '../registry/cards.ts'
import { type LoadedModel, loadModel } from '../registry/loadModel.ts'
import { cardOptions, checkRequest, type NetworkRequest } from '../runtime/checkRequest.ts'
import type { OnProgress } from '../runtime/jobs/progress.ts'
import { checkAborted, SerialQueue } from '../runtime/jobs/serialQueue.ts'
import { type RawInput, readRaw } from '../runtime/pictures/pictureTypes.ts'
import { RestorerCore, type RestorerSetup } from '../runtime/restorerCore.ts'
import { checkGuide, describeGuide, rejectGuide, requiredGuide } from '../runtime/sampling/guide.ts'
import { checkDevice, deviceCheckOutput } from '../runtime/session/deviceCheck.ts'
import { type LoadedGuide, NetworkSessions, sessionWithParts } from '../runtime/session/networkSessions.ts'
import { type OnnxRuntime, openOnnx, tracedSession } from '../runtime/session/onnxSession.ts'
import { type PictureOptions, TiledRestoration } from '../runtime/tiledRestoration.ts'
import type { TileRequest } from '../runtime/tiles/tilePlan.ts'
import { decodeBlob } from './canvas.ts'
import { fetchBytes } from './fetchBytes.ts'
import { WebResult } from './webResult.ts'

/** Bytes of a checkpoint, or the URL to fetch them from. */
export type WeightsInput = string | URL | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>

/** Options of {@link createRestorer}; tiling and sampling options are defaults for every picture. */
export interface WebRestorerOptions extends TileRequest, NetworkRequest {
  /** The module `onnxruntime-web/webgpu`. */
  readonly runtime: OnnxRuntime
  /** Checkpoint of the network. */
  readonly weights: WeightsInput
  /** Id of the model card the weights must match. */
  readonly model?: string | undefined
  /** Second network that some samplers require: a DA-CLIP, or a latent compressor. */
  readonly guide?: WeightsInput | undefined
  /** Network options that replace those the weights imply. */
  readonly options?: object | undefined
  /** 'auto' uses WebGPU if it gives the same results as the CPU, else the CPU. @default 'auto' */
  readonly device?: 'auto' | Device | undefined
  /** Memory for a tile, besides that of the network; WebAssembly has at most 4 GiB. @default 1 GiB */
  readonly memoryBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Receives progress in bytes while weights are fetched. */
  readonly onProgress?: OnProgress | undefined
}

/** Options of {@link WebRestorer.run}. */
export interface RunOptions extends PictureOptions {
  /** Name of the picture in errors. @default 'image' */
  readonly name?: string | undefined
}

type Device = 'webgpu' | 'cpu'

/** Restores pictures with a network that stays open until `close`; concurrent calls are queued. */
export class WebRestorer extends RestorerCore {
  private constructor(setup: RestorerSetup) {
    super(setup)
  }

  /** Opens a restorer, as {@link createRestorer} does. */
  static async open(options: WebRestorerOptions): Promise<WebRestorer> {
    const { runtime, memoryBytes = 2 ** 30, signal } = options
    const card = options.model === undefined ? undefined : findCard(options.model)
    const overrides = { ...(card ? cardOptions(card) : {}), ...options.options }
    const bytes = await bytesOf(options.weights, 'weights', options)
    const checkpoint = openCheckpoint(memorySource(bytes, 'weights'))
    const requested = { weights: 'weights', checkpoint, card, overrides }
    const { network, license, trained } = checkRequest(requested, {
      ...options,
      guide: options.guide && 'a guide',
    })
    const guideParts = trained && (await readGuide(network, options))
    const model = loadModel(checkpoint, overrides)
    const device = await deviceFor(runtime, options.device ?? 'auto')
    const sha256 = await hashOf(bytes)
    checkAborted(signal)
    const open = (one: LoadedModel) =>
      new NetworkSessions(one, async (part) => sessionOn(runtime, part, device))
    const sessions = open(model)
    const guideSessions = guideParts && open(guideParts.model)
    const restoration = new TiledRestoration({
      loaded: {
        network,
        session: sessionWithParts(sessions),
        guide: guideSessions && { ...guideParts, session: sessionWithParts(guideSessions) },
      },
      trained,
      // `memoryBytes` is for a tile, besides the network itself.
      budgetBytes: memoryBytes + network.memory.fixedBytes,
      defaults: options,
    })
    return new WebRestorer({
      restoration,
      license,
      info: { model: card?.id ?? network.id, network: network.id, sha256, device, backend: 'onnx' },
      close: async () => {
        await Promise.all([sessions.close(), guideSessions?.close()])
      },
    })
  }

  /**
   * Restores a file, ImageData or samples of any size.
   * @throws RestoreError for this picture alone: 'input', 'usage', 'memory', 'aborted'
   */
  run(input: Blob | RawInput, options: RunOptions = {}): Promise<WebResult> {
    const { name = 'image' } = options
    return this.restorePicture(options, {
      read: async () => readRaw(input instanceof Blob ? await decodeBlob(input, name) : input, name),
      is16Bit: ({ depth }) => depth === 16,
      wrap: ({ pixels, samples, spread, info }) => {
        const resultOf = (one: Pixels) => new WebResult({ pixels: one, info })
        return new WebResult({
          pixels,
          info,
          samples: samples.map(resultOf),
          spread: spread && resultOf(spread),
        })
      },
    })
  }
}

/**
 * Opens a network in a browser.
 * @throws RestoreError 'usage', 'input', 'checkpoint', 'environment', 'aborted'
 * @example
 * const restorer = await createRestorer({ runtime: ort, weights: '/light-photo.safetensors' })
 * const result = await restorer.run(file)
 * image.src = URL.createObjectURL(await result.toBlob())
 */
export function createRestorer(options: WebRestorerOptions): Promise<WebRestorer> {
  return WebRestorer.open(options)
}

type FetchOptions = Pick<WebRestorerOptions, 'signal' | 'onProgress'>

async function bytesOf(
  input: WeightsInput,
  name: string,
  options: FetchOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (input instanceof Uint8Array) return input
  if (input instanceof ArrayBuffer) return new Uint8Array(input)
  if (input instanceof Blob) return new Uint8Array(await input.arrayBuffer())
  return fetchBytes(input, name, options)
}

/** SHA-256 in hexadecimal; undefined in insecure contexts, where browsers offer no hashing. */
async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const subtle: typeof crypto.subtle | undefined = crypto.subtle
  if (!subtle) return undefined
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Checks and loads the guide of a network; undefined if it needs none. */
async function readGuide(
  network: NetworkDescription,
  { guide, ...options }: FetchOptions & Pick<WebRestorerOptions, 'guide'>,
): Promise<(Omit<LoadedGuide, 'session'> & { readonly model: LoadedModel }) | undefined> {
  const required = requiredGuide(network)
  const names = { weights: 'weights', guide: 'a guide' }
  if (!required) return guide === undefined ? undefined : rejectGuide(network, names)
  if (guide === undefined)
    throw new RestoreError(
      'usage',
      `guide: expected ${describeGuide(required)}, beside these weights, got none`,
    )
  const checkpoint = openCheckpoint(memorySource(await bytesOf(guide, 'guide', options), 'guide'))
  return { ...checkGuide(checkpoint, required, names), model: loadModel(checkpoint) }
}

/** ONNX Runtime opens and runs one graph at a time, so all restorers of a page share a queue. */
const runtimeQueues = new WeakMap<OnnxRuntime, SerialQueue>()

function sessionOn(runtime: OnnxRuntime, { forward }: Pick<LoadedModel, 'forward'>, device: Device): Session {
  const queue = runtimeQueues.get(runtime) ?? new SerialQueue()
  runtimeQueues.set(runtime, queue)
  const options = { executionProviders: [device], graphOptimizationLevel: 'all' } as const
  return tracedSession({ forward }, async (onnx) => {
    const session = await queue.run(() => openOnnx(runtime, onnx, options))
    return {
      run: (inputs) => queue.run(() => session.run(inputs)),
      close: () => queue.run(() => session.close()),
    }
  })
}

/** Selects the device: the CPU must work, and WebGPU must give the same results. */
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
