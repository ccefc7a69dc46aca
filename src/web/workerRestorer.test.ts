import { MessageChannel } from 'node:worker_threads'
import * as onnxRuntime from 'onnxruntime-node'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { encodeSafetensors } from '../checkpoints/safetensors.ts'
import type { ErrorCode } from '../core/errors.ts'
import { Restormer, restormerDefaults } from '../models/restormer/restormer.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import {
  createRestorer,
  createWorkerRestorer,
  serveRestorer,
  type WorkerLike,
  type WorkerRestorerOptions,
} from '../web.ts'

let count = 0
const network = new Restormer(
  randomInit(() => (++count * 0.618) % 1),
  { ...restormerDefaults, dim: 8, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 },
)
const weights = encodeSafetensors(
  new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])),
)
const runtime = { ...onnxRuntime, env: { wasm: {} as { wasmPaths?: unknown } } }
const photo = {
  data: Uint8Array.from({ length: 3 * 64 * 48 }, (_, i) => (i * 37) % 256),
  width: 64,
  height: 48,
  channels: 3,
} as const

/** A worker on the other end of a channel, in this thread. */
function workerLike() {
  const { port1, port2 } = new MessageChannel()
  const errors = new EventTarget()
  serveRestorer(runtime, {
    scope: {
      postMessage: (message, transfer) => port2.postMessage(message, transfer as ArrayBuffer[]),
      addEventListener: (_, listener) => port2.on('message', (data) => listener({ data })),
    },
  })
  const terminate = vi.fn(() => port1.close())
  const worker = {
    postMessage: (message: unknown) => port1.postMessage(message),
    addEventListener: (type: string, listener: (event: never) => void) => {
      if (type === 'message') port1.on('message', (data) => listener({ data } as never))
      else errors.addEventListener(type, (event) => listener(event as never))
    },
    terminate,
  }
  return { worker: worker as WorkerLike, terminate, errors }
}

function opened(options: Partial<WorkerRestorerOptions> = {}) {
  const parts = workerLike()
  const restorer = createWorkerRestorer(parts.worker, { weights, device: 'cpu', ...options })
  return { ...parts, restorer }
}

afterEach(() => vi.unstubAllGlobals())

describe('a restorer in a worker', () => {
  test('gives the results of a restorer on the page, with progress', async () => {
    await using expected = await createRestorer({ runtime, weights, device: 'cpu', tile: 32 })
    await using restorer = await opened({ tile: 32 }).restorer
    expect(restorer).toMatchObject({ device: 'cpu', scale: 1, license: expected.license })
    const events: string[] = []
    const onProgress = ({ phase, done, total }: { phase: string; done: number; total: number }) =>
      events.push(`${phase} ${done}/${total}`)
    const result = await restorer.run(photo, { onProgress })
    const reference = await expected.run(photo)
    expect(result.raw()).toEqual(reference.raw())
    expect(result.info).toEqual({ ...reference.info, seconds: result.info.seconds, threads: 1 })
    expect([events[0], events.at(-1)]).toEqual([
      'read 0/1',
      `restore ${result.info.tiles.count}/${result.info.tiles.count}`,
    ])
    expect(photo.data.length).toBe(3 * 64 * 48)
    const planes = { width: 8, height: 8, channels: 3, data: new Float32Array(192).fill(0.5) }
    expect(await restorer.runPlanes(planes)).toEqual(await expected.runPlanes(planes))
  })

  test('an abort rejects at once, and the next picture is restored', async () => {
    await using restorer = await opened().restorer
    const controller = new AbortController()
    const canceled = restorer.run(photo, {
      tile: 32,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(canceled).rejects.toMatchObject({ code: 'aborted' })
    expect((await restorer.run(photo)).info.width).toBe(64)
    await expect(restorer.run(photo, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    })
  })

  test('errors keep their code; a failure to open ends the worker', async () => {
    await using restorer = await opened().restorer
    await expect(restorer.run({ ...photo, width: 63 }, { name: 'a.png' })).rejects.toMatchObject({
      code: 'input' satisfies ErrorCode,
      message: expect.stringContaining('a.png: expected 63 × 48 × 3 samples'),
    })
    const options = { strength: () => 1 } as object
    await expect(restorer.run(photo, options)).rejects.toMatchObject({ code: 'usage' })
    const failed = opened({ weights: new Uint8Array(9) })
    await expect(failed.restorer).rejects.toMatchObject({ code: 'checkpoint' })
    expect(failed.terminate).toHaveBeenCalledOnce()
  })

  test('closing ends the worker and rejects what is not done', async () => {
    const { restorer: opening, terminate } = opened()
    const restorer = await opening
    const running = restorer.run(photo)
    await Promise.all([
      expect(running).rejects.toThrow('restore: expected an open restorer, got a closed one'),
      restorer.close(),
    ])
    expect(terminate).toHaveBeenCalledOnce()
    await expect(restorer.run(photo)).rejects.toThrow('got a closed one')
  })

  test('a worker that cannot be loaded or fails rejects its calls', async () => {
    const { restorer, errors } = opened()
    errors.dispatchEvent(new Event('error'))
    await expect(restorer).rejects.toMatchObject({
      code: 'crash',
      message: 'worker: failed (its script cannot be loaded); open it again',
    })
  })

  test('URLs are relative to the page', async () => {
    vi.stubGlobal('document', { baseURI: 'http://127.0.0.1:9/app/index.html' })
    const { restorer } = opened({ weights: 'light.safetensors', wasmPaths: '../ort/' })
    await expect(restorer).rejects.toThrow('weights: http://127.0.0.1:9/app/light.safetensors')
    expect(runtime.env.wasm.wasmPaths).toBe('http://127.0.0.1:9/ort/')
  })
})
