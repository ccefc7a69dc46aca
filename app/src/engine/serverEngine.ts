// The engine on the server that delivers the page: photos travel there, and results come back as lossless files.

import {
  type Client,
  createClient,
  ServerError,
  type ServerJob,
  type ServerReport,
  type ServerSettings,
} from 'limpid/client'
import { rewrite } from 'limpid/web'
import { strings } from '../strings.ts'
import { type Layer, layerOf } from '../viewer/layers.ts'
import type { Rectangle } from '../viewer/view.ts'
import {
  type Engine,
  foundIn,
  type ModelChoice,
  type Output,
  type Progress,
  type Restored,
  type RunEvents,
  type StoredModel,
} from './engine.ts'
import { serverModels } from './models.ts'
import { needsKey, serverKey } from './place.ts'

/** Longest wait before a request that was refused for want of room is made again. */
const retryMs = 10_000

/** Computes on the server; what only a browser can do is left to the engine of the page. */
export class ServerEngine implements Engine {
  readonly #local: Engine

  constructor(local: Engine) {
    this.#local = local
  }

  /** Asks the server which models it has. */
  async listModels(): Promise<void> {
    // Without its key, a server tells nothing; what asks for the key is in the page.
    if (needsKey && serverKey.value.text === '') return
    try {
      serverModels.value = (await client().models()).map(({ id }) => id)
    } catch (error) {
      throw told(error)
    }
  }

  decode(file: Blob, name: string): Promise<Layer> {
    return this.#local.decode(file, name)
  }

  async restore(file: Blob, name: string, choice: ModelChoice, events: RunEvents): Promise<Restored> {
    if (choice.file) return this.#local.restore(file, name, choice, events)
    const { result, report } = await run(file, choice, events)
    return restoredOf({ result, report, file })
  }

  async preview(file: Blob, part: Rectangle, choice: ModelChoice, events: RunEvents): Promise<Layer> {
    if (choice.file) return this.#local.preview(file, part, choice, events)
    const { x, y, width, height } = part
    const whole = await createImageBitmap(file, { imageOrientation: 'from-image' })
    const canvas = new OffscreenCanvas(width, height)
    canvas.getContext('2d')?.drawImage(whole, -x, -y)
    whole.close()
    const { result } = await run(await canvas.convertToBlob(), choice, events)
    const { pieces } = await layerOfFile(result, part)
    return { ...part, pieces: pieces.map((piece) => ({ ...piece, x: piece.x + x, y: piece.y + y })) }
  }

  storedModels(): Promise<readonly StoredModel[]> {
    return this.#local.storedModels()
  }

  persist(): Promise<boolean> {
    return this.#local.persist()
  }
}

function client(): Client {
  return createClient({ address: new URL('.', document.baseURI), key: serverKey.value.text || undefined })
}

/** Settings of a request: a result in full strength, without loss. */
function settingsOf({ id, task, scale, never, damage }: ModelChoice): ServerSettings {
  const common = { scale, format: 'png' } as const
  if (id !== 'auto') return { model: id, task, ...common }
  return { task: 'auto', never: never?.join(','), damage: damage?.join(','), ...common }
}

interface ServerResult {
  readonly result: Blob
  readonly report: ServerReport
}

/** Restores a photo, whose job is forgotten afterwards. */
async function run(
  file: Blob,
  choice: ModelChoice,
  { signal, onProgress }: RunEvents,
): Promise<ServerResult> {
  const server = client()
  let id: string | undefined
  const onJob = (job: ServerJob) => {
    id = job.id
    onProgress(progressOf(job))
  }
  try {
    onProgress({ phase: 'send', done: 0, total: 1 })
    for (;;) {
      try {
        const result = await server.restore(file, { ...settingsOf(choice), signal, onProgress: onJob })
        return { result, report: await server.report(id ?? '') }
      } catch (error) {
        if (!(error instanceof ServerError) || error.status !== 429) throw told(error)
        onProgress({ phase: 'wait', done: 0, total: 1 })
        await pause(Math.min(1000 * (error.retryAfterSeconds ?? 1), retryMs), signal)
      }
    }
  } finally {
    if (id !== undefined) server.delete(id).catch(() => {})
  }
}

function progressOf({ state, progress }: ServerJob): Progress {
  if (state !== 'running') return { phase: 'wait', done: 0, total: 1 }
  if (!progress || progress.total === 0) return { phase: 'open', done: 0, total: 1 }
  return { phase: 'restore', ...progress }
}

/** An error in words of the page, where its own would help nobody. */
function told(error: unknown): unknown {
  const isGone = error instanceof TypeError || (error instanceof ServerError && error.status === 502)
  if (isGone) return new Error(strings.value.serverGone, { cause: error })
  if (error instanceof ServerError && error.status === 401)
    return new Error(strings.value.keyWrong, { cause: error })
  return error
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}

async function layerOfFile(
  file: Blob,
  original: Rectangle | { width: number; height: number },
): Promise<Layer> {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' })
  try {
    return await layerOf(bitmap, original)
  } finally {
    bitmap.close()
  }
}

function restoredOf({ result, report, file }: ServerResult & { readonly file: Blob }): Restored {
  const { width, height, scale, model, device, seconds, notes, repair } = report.info
  const original = { width: Math.round(width / scale), height: Math.round(height / scale) }
  const isOriginal = repair !== undefined && repair.done.length === 0 && scale === 1
  return {
    ...{ width, height, model, device, notes, isOriginal, seconds: seconds.restore },
    found: repair && foundIn(repair),
    layer: () => layerOfFile(result, original),
    encode: (output) => encoded({ result, file, isOriginal }, output),
  }
}

const strips = { keep: false, 'no-place': 'location', none: true } as const

async function encoded(
  { result, file, isOriginal }: { readonly result: Blob; readonly file: Blob; readonly isOriginal: boolean },
  { type, quality, strength, metadata }: Output,
): Promise<Blob> {
  if (isOriginal && file.type === type && metadata === 'keep') return file
  if (type === 'image/png' && strength === 1 && metadata === 'keep') return result
  return rewrite(result, {
    ...{ input: file, strength, type, quality: quality / 100, strip: strips[metadata] },
    ...(type === 'image/jpeg' ? { background: 'white' } : {}),
  })
}
