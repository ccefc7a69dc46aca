import { constants } from 'node:buffer'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { untilBusy } from '../../test/busy.ts'
import { readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
import { roundUp } from '../core/functional.ts'
import { decodeImage } from '../data/decode.ts'
import { type Image, imageToTensor, quantize, tensorToImage } from '../data/image.ts'
import { Dasr, dasrDefaults } from '../models/dasr/dasr.ts'
import { Restormer, restormerDefaults } from '../models/restormer/restormer.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { loadModel } from '../registry/loadModel.ts'
import type { ProgressEvent } from './jobs/progress.ts'
import { imageReader, imageWriter } from './pictures/planeIO.ts'
import { restore } from './restore.ts'
import { createRestorer, type Restorer } from './restorer.ts'
import { placementsFor } from './session/devices.ts'
import { nodeSession } from './session/nodeOnnxSession.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-restorer-'))
const at = (name: string) => join(dir, name)
const weights = at('tiny.safetensors')
const raw = { width: 37, height: 22, channels: 3 } as const
const rgb = Uint8Array.from({ length: raw.width * raw.height * 3 }, (_, i) => (i * 37) % 256)

function save(path: string, network: object): void {
  writeSafetensors(path, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
}

function sequence(): () => number {
  let count = 0
  return () => (++count * 0.618034) % 1
}

/** Restores a whole image in this process. */
async function restoredInProcess(image: Image): Promise<Image> {
  const model = loadModel(readCheckpoint(weights))
  const { size, scale } = model
  const [height, width] = [image.height, image.width].map((side) => roundUp(side, size.multipleOf))
  const padded = { height: height ?? 0, width: width ?? 0 }
  const x = imageToTensor(imageReader(image, 3, padded)(0, 0, padded.height, padded.width))
  const { y } = await nodeSession(model).run({ x })
  const { image: restored, emit } = imageWriter(image, scale, 3)
  emit(0, tensorToImage(y ?? expect.fail()))
  return restored
}

let restorer: Restorer

beforeAll(async () => {
  const options = { ...restormerDefaults, dim: 8, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 } as const
  save(weights, new Restormer(randomInit(sequence()), options))
  writeFileSync(at('photo.png'), await sharp(rgb, { raw }).png().toBuffer())
  restorer = await createRestorer({ weights, device: 'cpu', threads: 1 })
})
afterAll(async () => {
  await restorer.close()
  rmSync(dir, { recursive: true, force: true })
})

describe('a restorer', () => {
  test('matches the network run in this process, for every kind of input', async () => {
    const { image } = await decodeImage(at('photo.png'))
    const expected = quantize(await restoredInProcess(image), 255, new Uint8Array(rgb.length))
    const file = readFileSync(at('photo.png'))
    const rgba = Uint8ClampedArray.from({ length: raw.width * raw.height * 4 }, (_, i) =>
      i % 4 === 3 ? 255 : rgb[(i >> 2) * 3 + (i % 4)]!,
    )
    const inputs = [
      at('photo.png'),
      file,
      new Uint8Array(file),
      new Blob([new Uint8Array(file)]),
      { ...raw, data: rgb },
    ]
    for (const input of inputs) expect((await restorer.run(input)).raw().data).toEqual(expected)
    const result = await restorer.run({ data: rgba, width: raw.width, height: raw.height })
    expect(result.raw().channels).toBe(4)
    const { data, width, height } = result.toImageData()
    expect([width, height, data.length]).toEqual([37, 22, rgba.length])
    expect([data[0], data[1], data[2], data[3]]).toEqual([...expected.subarray(0, 3), 255])
  })

  test('returns planes neither clamped nor rounded, also for gray and for values outside 0..1', async () => {
    const { image } = await decodeImage(at('photo.png'))
    const wild = { ...image, data: image.data.map((value) => 3 * value - 1) }
    const pixels = image.width * image.height
    for (const input of [wild, { ...wild, channels: 1, data: wild.data.subarray(0, pixels) }]) {
      const expected = await restoredInProcess(input)
      expect(expected.data.some((value) => value < 0 || value > 1)).toBe(true)
      const restored = await restorer.runPlanes(input)
      expect({ ...restored, data: [...restored.data] }).toEqual({
        ...expected,
        data: Array.from(expected.data, (value) => expect.closeTo(value, 5)),
      })
    }
  })

  test('reports model, device, tiles and progress', async () => {
    const events: ProgressEvent[] = []
    const result = await restorer.run(at('photo.png'), {
      tile: 16,
      overlap: 8,
      onProgress: (event) => events.push(event),
    })
    expect(result.info).toMatchObject({
      model: 'restormer',
      network: 'restormer',
      device: 'cpu',
      backend: 'onnx',
    })
    expect(result.info).toMatchObject({ width: 37, height: 22, tiles: { count: 8, px: 16 } })
    expect(result.info.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(events[0]).toEqual({ phase: 'read', done: 0, total: 1 })
    expect(events.slice(1).map(({ phase, done, total }) => [phase, done, total])).toEqual(
      Array.from({ length: 8 }, (_, i) => ['restore', i + 1, 8]),
    )
    expect(events.at(-1)?.secondsLeft).toBe(0)
  })

  test('keeps opacity, 16 bits and gray', async () => {
    const clear = Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => (i * 31) % 256)
    const restored = (await restorer.run({ data: clear, width: 16, height: 16, channels: 4 })).raw()
    expect(restored.data.filter((_, i) => i % 4 === 3)).toEqual(clear.filter((_, i) => i % 4 === 3))
    const deep = Uint16Array.from({ length: 16 * 16 }, (_, i) => i * 257)
    const gray = await restorer.run({ data: deep, width: 16, height: 16, channels: 1 })
    expect([gray.raw().channels, gray.raw().depth]).toEqual([1, 16])
    const { depth, space } = await sharp(await gray.toBuffer({ format: 'png' })).metadata()
    expect([depth, space]).toEqual(['ushort', 'grey16'])
  })

  test('writes whole files, by extension or format, and keeps existing ones', async () => {
    const result = await restorer.run(at('photo.png'))
    await result.toFile(at('clean.webp'))
    expect((await sharp(at('clean.webp')).metadata()).format).toBe('webp')
    await expect(result.toFile(at('photo.png'))).rejects.toMatchObject({ code: 'output' })
    await expect(result.toFile(at('none/x.png'))).rejects.toThrow('cannot be written')
    await result.toFile(at('clean'), { format: 'jpg' })
    expect((await sharp(at('clean')).metadata()).format).toBe('jpeg')
    await expect(result.toFile(at('other.webp'), { format: 'jpg' })).rejects.toThrow('fits the format jpg')
    expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('queues pictures, and one that fails does not affect the others', async () => {
    const outcomes = await Promise.allSettled([
      restorer.run(at('photo.png')),
      restorer.run(Uint8Array.of(1, 2, 3), { name: 'third' }),
      restorer.run({ ...raw, data: rgb.subarray(1) }),
      restorer.run(at('photo.png')),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({
      reason: { code: 'input', message: expect.stringContaining('third: ') },
    })
    expect(outcomes[2]).toMatchObject({
      reason: { message: 'image: expected 37 × 22 × 3 samples of 8 bits, got 2441 of 8 bits' },
    })
  })

  test('cancels at once', async () => {
    const controller = new AbortController()
    const running = restorer.run(
      { data: new Uint8Array(3 * 1024 ** 2), width: 1024, height: 1024, channels: 3 },
      controller,
    )
    const outcome = expect(running).rejects.toMatchObject({ code: 'aborted' })
    setTimeout(() => controller.abort(), 100)
    await outcome
    expect((await restorer.run(at('photo.png'))).info.width).toBe(37)
  })

  test('rejects a format that cannot hold the picture before restoring', async () => {
    const clear = { data: new Uint8Array(256), width: 8, height: 8, channels: 4 } as const
    const events: ProgressEvent[] = []
    const running = restorer.run(clear, { format: 'jpg', onProgress: (event) => events.push(event) })
    await expect(running).rejects.toThrow('expected a format with transparency')
    expect(events.map(({ phase }) => phase)).toEqual(['read'])
  })

  test('retries a picture with smaller tiles after its process ran out of memory', {
    timeout: 120_000,
  }, async () => {
    const own = await createRestorer({ weights, device: 'cpu', threads: 1 })
    const side = 512
    const picture = {
      data: new Uint8Array(3 * side * side).fill(99),
      width: side,
      height: side,
      channels: 3,
    } as const
    const kill = (event: ProgressEvent) => {
      const { pid } = own
      if (event.phase !== 'read' || pid === undefined) return
      untilBusy({ pid }, 50).then(() => process.kill(pid, 'SIGKILL'))
    }
    const { info } = await own.run(picture, { onProgress: kill })
    expect(info.tiles).toEqual({ count: 9, px: 256 })
    expect(info.notes).toEqual([
      'little memory was free, so its tiles are only 256 pixels wide, which changes the result slightly (--tile fixes it)',
    ])
    expect((await own.run(picture)).info).toMatchObject({ tiles: { count: 1 }, notes: [] })
    await expect(own.run(picture, { tile: 'none', onProgress: kill })).rejects.toMatchObject({
      code: 'memory',
    })
    await own.close()
  })
})

test('DASR upscales tiles with the representation of the whole photo, including gray and opacity', async () => {
  const options = { ...dasrDefaults, scale: 2 }
  save(at('dasr.safetensors'), new Dasr(randomInit(sequence()), options))
  const clear = Uint8Array.from({ length: 24 * 16 * 2 }, (_, i) => (i % 2 === 1 ? 200 : i % 256))
  const result = await restore(
    { data: clear, width: 24, height: 16, channels: 2 },
    { weights: at('dasr.safetensors'), device: 'cpu', tile: 12, overlap: 4 },
  )
  expect(result.raw()).toMatchObject({ width: 48, height: 32, channels: 2 })
  expect(result.info.tiles.count).toBe(6)
  expect([...result.raw().data].filter((_, i) => i % 2 === 1).every((value) => value === 200)).toBe(true)
})

// Later versions of Node reserve as much as the machine promises.
test.skipIf(constants.MAX_LENGTH > 2 ** 32)(
  'a result too large for an array is refused before computing',
  async () => {
    const side = 8300
    const events: ProgressEvent[] = []
    const running = restore(
      { data: new Uint8Array(side ** 2), width: side, height: side, channels: 1 },
      { weights: at('dasr.safetensors'), device: 'cpu', scale: 8, onProgress: (event) => events.push(event) },
    )
    await expect(running).rejects.toMatchObject({
      code: 'memory',
      message: expect.stringContaining('a result of 66400 × 66400 pixels, 4.4 GB, got too little'),
    })
    expect(events.map(({ phase }) => phase)).not.toContain('restore')
  },
)

describe('opening', () => {
  test('an explicit device has no fallback', async () => {
    await expect(createRestorer({ weights, device: 'gpu' })).rejects.toThrow(
      'device: expected auto, cpu, webgpu, cuda or cuda:N, got gpu',
    )
    await expect(createRestorer({ weights, device: 'webgpu', backend: 'torch' })).rejects.toThrow(
      'backend: expected onnx for the device webgpu',
    )
    await expect(createRestorer({ weights, backend: 'tf' })).rejects.toThrow(
      'backend: expected auto, onnx or torch',
    )
  })

  test.skipIf(existsSync('/dev/nvidia0'))('every backend reports a machine without CUDA', async () => {
    for (const backend of ['auto', 'onnx', 'torch']) {
      const opening = createRestorer({ weights, device: 'cuda:1', backend })
      await expect(opening).rejects.toMatchObject({
        code: 'environment',
        message: expect.stringContaining('cuda'),
      })
    }
  })

  test.skipIf(existsSync('/dev/dri'))('webgpu reports a machine without graphics', async () => {
    await expect(createRestorer({ weights, device: 'webgpu' })).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(
        /^webgpu: expected a device that works, got an error \([^/:]+: .*\); use another/,
      ),
    })
  })

  test('the CPU is tried last, and alone when named', () => {
    expect(placementsFor({}).at(-1)).toEqual({
      ...{ backend: 'onnx', device: 'cpu', deviceIndex: 0, dtype: 'float32' },
    })
    expect(placementsFor({ device: 'cpu', backend: 'torch' })).toEqual([
      { backend: 'torch', device: 'cpu', deviceIndex: 0, dtype: 'float32' },
    ])
    expect(
      placementsFor({ device: 'cuda:2' }).map(({ backend, deviceIndex }) => [backend, deviceIndex]),
    ).toEqual([
      ['onnx', 2],
      ['torch', 2],
    ])
  })

  test.each([
    [{ model: 'nothing' }, "unknown model 'nothing': expected one of"],
    [{ model: 'restormer-derain' }, 'expected --weights FILE with the official file deraining.pth'],
    [{ model: 'restormer-derain', weights }, 'expected weights of restormer-derain with dim 48, got 8'],
    [{ weights: at('absent.pth') }, 'absent.pth: no such file'],
    [{ weights, options: { heads: 1 } }, 'options: expected heads of the same type as'],
    [{ weights, scale: 2 }, 'does not enlarge, got 2'],
    [{ weights, dtype: 'int8' }, "dtype: expected auto, float32 or bfloat16, got 'int8'"],
  ])('%j is rejected', async (options, message) => {
    await expect(createRestorer(options)).rejects.toThrow(message)
  })
})
