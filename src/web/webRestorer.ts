// The library's main entry in browsers: opens a network on the caller's ONNX Runtime and restores pictures
// with it.

import { memorySource } from '../checkpoints/checkpoint.ts'
import { checkOnnx, isOnnx, readOnnx } from '../checkpoints/onnx.ts'
import { openCheckpoint } from '../checkpoints/open.ts'
import { isOutOfMemory, messageOf, RestoreError } from '../core/errors.ts'
import { anything, checkOptions, decimal, type OptionRules, record, text, whole } from '../core/options.ts'
import type { Session } from '../core/session.ts'
import { shownText } from '../core/text.ts'
import { findCard, versionOf } from '../registry/cards.ts'
import { type LoadedModel, loadModel } from '../registry/loadModel.ts'
import { mixCheckpoints } from '../registry/mixWeights.ts'
import {
  cardOptions,
  checkGraphRequest,
  checkMix,
  checkRequest,
  type Mix,
  type NetworkRequest,
  networkRules,
  rejectForGraph,
} from '../runtime/checkRequest.ts'
import { checkPorts, findImageGraph, unopened } from '../runtime/graphs/findImageGraph.ts'
import { graphSession } from '../runtime/graphs/graphSession.ts'
import type { OnProgress } from '../runtime/jobs/progress.ts'
import { checkAborted } from '../runtime/jobs/serialQueue.ts'
import type { RawInput } from '../runtime/pictures/pictureTypes.ts'
import { RestorerCore, type RestorerSetup } from '../runtime/restorerCore.ts'
import { NetworkSessions, type OpenSessions, sessionWithParts } from '../runtime/session/networkSessions.ts'
import { type OnnxRuntime, tracedSession } from '../runtime/session/onnxSession.ts'
import { type PictureOptions, pictureRules, TiledRestoration } from '../runtime/tiledRestoration.ts'
import { type TileRequest, tileRules } from '../runtime/tiles/tilePlan.ts'
import { chooseDevice, measureRestoration } from './compute/deviceChoice.ts'
import type { Device, GraphOptions, SessionHost } from './compute/sessionHost.ts'
import { hashOf } from './fetchBytes.ts'
import { type ReadPicture, readPicture } from './files/readPicture.ts'
import { platformInThread, reportedInfo, type WebPlatform } from './platform.ts'
import { bytesOf, readGuide, type WeightsInput } from './readWeights.ts'
import { type WebResult, wrapResult } from './webResult.ts'

/** Options of {@link createRestorer}; tiling and sampling options are defaults for every picture. */
export interface WebRestorerOptions extends TileRequest, NetworkRequest {
  /** The module `onnxruntime-web/webgpu`. */
  readonly runtime: OnnxRuntime
  /** Checkpoint of the network, or an ONNX file that maps pictures to pictures. */
  readonly weights: WeightsInput
  /**
   * Which tensors of `weights` to use where a file holds several sets, such as `state_dict.generator`.
   * @default averaged weights if there are any, else the only set
   */
  readonly tensors?: string | undefined
  /** Id of the model card the weights must match. */
  readonly model?: string | undefined
  /** Second network that some samplers require: a DA-CLIP, or a latent compressor. */
  readonly guide?: WeightsInput | undefined
  /** A second checkpoint of the same network, whose weights are mixed into the first's. */
  readonly mix?: Mix<WeightsInput> | undefined
  /** Network options that replace those the weights imply. */
  readonly options?: object | undefined
  /**
   * 'auto' uses WebGPU if a graphics card computes it, with the same results as the CPU; else the CPU.
   * @default 'auto'
   */
  readonly device?: 'auto' | Device | undefined
  /** Memory for a tile, besides that of the network; WebAssembly has at most 4 GiB. @default 1 GiB */
  readonly memoryBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Receives progress in bytes while weights are fetched. */
  readonly onProgress?: OnProgress | undefined
}

/** Options of {@link WebRestorer.run}. */
export interface RunOptions extends PictureOptions {
  /** Name of the picture in errors. @default that of the file, else 'image' */
  readonly name?: string | undefined
  /** Frame of an animation, from 1. @default a file of several is refused */
  readonly page?: number | undefined
}

const runRules: OptionRules<RunOptions> = { ...pictureRules, name: text, page: whole(1) }

const restorerRules: OptionRules<WebRestorerOptions> = {
  ...tileRules,
  ...networkRules,
  runtime: record,
  weights: anything,
  tensors: text,
  model: text,
  guide: anything,
  mix: record,
  options: record,
  device: text,
  memoryBytes: decimal(0, Number.MAX_SAFE_INTEGER),
  signal: pictureRules.signal,
  onProgress: pictureRules.onProgress,
}

/** Restores pictures with a network that stays open until `close`; concurrent calls are queued. */
export class WebRestorer extends RestorerCore {
  readonly #platform: WebPlatform

  private constructor(setup: RestorerSetup, platform: WebPlatform) {
    super(setup)
    this.#platform = platform
  }

  /** Device in use: 'cpu' or 'webgpu'. */
  override get device(): string {
    return this.#platform.host.deviceFor(super.device as Device)
  }

  /** Opens a restorer like {@link createRestorer}, with options that have been checked. @internal */
  static async open(
    options: Omit<WebRestorerOptions, 'runtime'>,
    platform: WebPlatform,
  ): Promise<WebRestorer> {
    const { host } = platform
    const { memoryBytes = platform.memoryBytes, signal, mix } = options
    checkMix(mix)
    const card = options.model === undefined ? undefined : findCard(options.model)
    const overrides = { ...(card ? cardOptions(card) : {}), ...options.options }
    const bytes = await bytesOf(options.weights, 'weights', options)
    if (isOnnx(memorySource(bytes))) return WebRestorer.#openGraph(bytes, options, platform)
    const first = openCheckpoint(memorySource(bytes, 'weights'), options)
    const mixBytes = mix && (await bytesOf(mix.weights, 'mix', options))
    const checkpoint =
      mix && mixBytes
        ? mixCheckpoints(first, openCheckpoint(memorySource(mixBytes, 'mix'), options), mix.share)
        : first
    const requested = { weights: 'weights', checkpoint, card, overrides }
    const { network, license, scale, trained } = checkRequest(requested, {
      ...options,
      guide: options.guide && 'a guide',
    })
    const guideParts = trained && (await readGuide(network, options))
    const model = loadModel(checkpoint, overrides)
    const sha256 = await hashOf(bytes)
    const restorationOn = (device: Device, graphs: GraphOptions = {}) => {
      const sessionsOf = (one: LoadedModel) =>
        new NetworkSessions(one, async (part) =>
          tracedSession(part, (onnx) => host.open(onnx, device, graphs)),
        )
      const sessions = sessionsOf(model)
      const guideSessions = guideParts && sessionsOf(guideParts.model)
      const restoration = new TiledRestoration({
        loaded: {
          network,
          session: sessionWithParts(sessions),
          guide: guideSessions && { ...guideParts, session: sessionWithParts(guideSessions) },
        },
        trained,
        scale,
        // `memoryBytes` is for a tile, besides the network itself.
        budgetBytes: memoryBytes + network.memory.fixedBytes,
        defaults: options,
      })
      const close = async () => {
        await Promise.all([sessions.close(), guideSessions?.close()])
      }
      return { restoration, close }
    }
    const device = await chooseDevice(options.device, {
      host,
      weights: sha256,
      measure: (one) => measureRestoration(network, () => restorationOn(one, { isTrial: true })),
    })
    checkAborted(signal)
    return new WebRestorer(
      {
        ...restorationOn(device),
        license,
        info: {
          model: card?.id ?? network.id,
          version: mix ? undefined : versionOf(card, sha256),
          network: network.id,
          sha256,
          mix: mix && { weights: 'mix', sha256: mixBytes && (await hashOf(mixBytes)), share: mix.share },
          device,
          backend: 'onnx',
          dtype: 'float32',
        },
      },
      platform,
    )
  }

  /** Opens an ONNX file, which is its own network. */
  static async #openGraph(
    bytes: Uint8Array<ArrayBuffer>,
    options: Omit<WebRestorerOptions, 'runtime'>,
    platform: WebPlatform,
  ): Promise<WebRestorer> {
    const { host } = platform
    const { memoryBytes = platform.memoryBytes, signal, model, tensors, guide, mix } = options
    rejectForGraph('weights', { model, tensors, guide, mix, options: options.options })
    const file = readOnnx(memorySource(bytes, 'weights'))
    checkOnnx(file)
    checkPorts(file)
    const [outside] = file.external
    if (outside)
      throw new RestoreError(
        'checkpoint',
        `weights: expected an ONNX file with its weights inside, got one with some in ${shownText(outside.location)}; save it as one file`,
      )
    // The CPU runs every graph; what it restores is found out there.
    const onCpu = await graphSessionOn(host, bytes, 'cpu')
    try {
      const graph = await findImageGraph(file, onCpu)
      checkAborted(signal)
      const { network, license, scale, trained } = checkGraphRequest('weights', graph, options)
      const restorationBy = (opened: Promise<Session>) => {
        // Awaited by the first tile, which reports it.
        opened.catch(() => {})
        const sessions: OpenSessions = {
          session: async () => graphSession(await opened, graph),
          close: async () => (await opened).close(),
        }
        const restoration = new TiledRestoration({
          loaded: { network, session: sessionWithParts(sessions) },
          trained,
          scale,
          budgetBytes: memoryBytes + network.memory.fixedBytes,
          defaults: options,
        })
        return { restoration, close: () => sessions.close() }
      }
      const sha256 = await hashOf(bytes)
      const device = await chooseDevice(options.device, {
        host,
        weights: sha256,
        measure: (one) =>
          measureRestoration(network, () =>
            restorationBy(graphSessionOn(host, bytes, one, { isTrial: true })),
          ),
      })
      const session = device === 'cpu' ? onCpu : await graphSessionOn(host, bytes, device)
      if (session !== onCpu) await onCpu.close()
      const info = {
        model: network.id,
        network: network.id,
        sha256,
        device,
        backend: 'onnx',
        dtype: 'float32',
      } as const
      return new WebRestorer({ ...restorationBy(Promise.resolve(session)), license, info }, platform)
    } catch (error) {
      await onCpu.close()
      throw error
    }
  }

  override get facts(): RestorerSetup['info'] {
    return { ...super.facts, device: this.device }
  }

  /**
   * Restores a file, ImageData or samples of any size.
   * @throws RestoreError for this picture alone: 'input', 'usage', 'memory', 'aborted'
   */
  async run(input: Blob | RawInput, options: RunOptions = {}): Promise<WebResult> {
    checkOptions('run', options, runRules)
    const { name, page, ...picture } = options
    return this.runRead(() => readPicture(input, { name, page, decoders: this.#platform.decoders }), picture)
  }

  /** Like `run`, for a picture that is read in another way. @internal */
  runRead(read: () => Promise<ReadPicture>, options: PictureOptions): Promise<WebResult> {
    return this.restorePicture(options, {
      read,
      is16Bit: ({ depth }) => depth > 8,
      wrap: ({ info, ...restored }, picture) =>
        wrapResult({ ...restored, info: reportedInfo(info, this.#platform, this.device) }, picture),
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
export async function createRestorer(options: WebRestorerOptions): Promise<WebRestorer> {
  checkRestorerOptions(options)
  const { runtime, ...rest } = options
  return WebRestorer.open(rest, platformInThread(runtime))
}

/** Opens a stranger's graph. */
async function graphSessionOn(
  host: SessionHost,
  onnx: Uint8Array,
  device: Device,
  graphs: GraphOptions = {},
): Promise<Session> {
  try {
    // Sizes that a graph refuses are tried on purpose.
    return await host.open(onnx, device, { ...graphs, mayRefuse: true })
  } catch (error) {
    throw isOutOfMemory(messageOf(error)) ? error : unopened('weights', error)
  }
}

/** Checks options of {@link createRestorer}. @throws RestoreError 'usage' */
export function checkRestorerOptions(options: Omit<WebRestorerOptions, 'runtime'>): void {
  checkOptions('createRestorer', options, restorerRules)
}
