import * as runtime from 'onnxruntime-node'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { graphFile } from '../../test/onnxGraphs.ts'
import { memorySource } from '../checkpoints/checkpoint.ts'
import { openCheckpoint } from '../checkpoints/open.ts'
import { encodeSafetensors } from '../checkpoints/safetensors.ts'
import { encodeBytes } from '../data/encode.ts'
import { type Image, imageToTensor, tensorToImage } from '../data/image.ts'
import { clipDefaults } from '../models/clip/clip.ts'
import {
  ConditionalUnet,
  conditionalUnetDefaults,
  universalUnet,
} from '../models/conditionalUnet/conditionalUnet.ts'
import { DaClip } from '../models/daclip/daclip.ts'
import { Dasr, dasrDefaults } from '../models/dasr/dasr.ts'
import { Restormer, type RestormerOptions, restormerDefaults } from '../models/restormer/restormer.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { loadModel } from '../registry/loadModel.ts'
import { nodeSession } from '../runtime/session/nodeOnnxSession.ts'
import { createRestorer, type OnnxRuntime, type WebRestorerOptions } from '../web.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

const tiny = { ...restormerDefaults, dim: 8, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 } as const

/** Pseudorandom numbers in [0, 1), the same in every run. */
function sequence(): () => number {
  let count = 0
  return () => {
    const x = Math.sin(++count * 12.9898) * 43758.5453
    return x - Math.floor(x)
  }
}

function picture(width: number, height: number, channels: number): Image {
  const data = Float32Array.from({ length: width * height * channels }, sequence())
  return { width, height, channels, data }
}

function bytesOf(network: object): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
}

function opened(network: object, options: Partial<WebRestorerOptions> = {}) {
  return createRestorer({ runtime, weights: bytesOf(network), device: 'cpu', ...options })
}

function restormer(options: Partial<RestormerOptions> = {}): Restormer {
  return new Restormer(randomInit(sequence()), { ...tiny, ...options })
}

const upscaler = new Dasr(randomInit(sequence()), {
  ...dasrDefaults,
  scale: 2,
  groups: 1,
  blocks: 1,
  channels: 8,
  reduction: 2,
  encoderChannels: [4, 6, 8],
})

const runtimeWithoutGpu: OnnxRuntime = {
  ...runtime,
  InferenceSession: {
    create: (model, options) => {
      if (options.executionProviders?.includes('webgpu')) return Promise.reject(new Error('no adapter'))
      return runtime.InferenceSession.create(model, options)
    },
  },
}

describe('a browser restorer', () => {
  test('an image of any size keeps its size', async () => {
    await using restorer = await opened(restormer())
    for (const [width, height] of [
      [1, 1],
      [3, 2],
      [13, 21],
      [16, 24],
    ] as const) {
      const restored = await restorer.runPlanes(picture(width, height, 3))
      expect([restored.width, restored.height, restored.channels]).toEqual([width, height, 3])
      expect(restored.data.every(Number.isFinite)).toBe(true)
    }
  })

  test('samples keep their opacity, and the result reports how it was made', async () => {
    await using restorer = await opened(restormer(), {
      weights: new Blob([bytesOf(restormer())]),
    })
    const data = Uint8ClampedArray.from({ length: 4 * 9 * 5 }, (_, i) => (i * 37) % 256)
    const events: string[] = []
    const result = await restorer.run(
      { data, width: 9, height: 5 },
      { onProgress: ({ phase, done, total }) => events.push(`${phase} ${done}/${total}`) },
    )
    const { channels, width, height, data: restored } = result.raw()
    expect([channels, width, height]).toEqual([4, 9, 5])
    const opacity = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => i % 4 === 3)
    expect(opacity(restored)).toEqual(opacity(data))
    expect(result.info).toMatchObject({ model: 'restormer', device: 'cpu', backend: 'onnx', scale: 1 })
    expect(result.info.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(events).toEqual(['read 0/1', 'restore 1/1'])
  })

  test('one tile that covers the image equals no tiles', async () => {
    await using restorer = await opened(restormer())
    const image = picture(16, 16, 3)
    const whole = await restorer.runPlanes(image, { tile: 'none' })
    const tiled = await restorer.runPlanes(image, { tile: 64, overlap: 8, blend: 'official' })
    expect(tiled.data).toEqual(whole.data)
  })

  test('tiles are square, and no larger than the shorter side of the image', async () => {
    await using restorer = await opened(restormer())
    const totals: number[] = []
    const tiles = { tile: 32, overlap: 8, blend: 'official' } as const
    await restorer.runPlanes(picture(40, 24, 3), { ...tiles, onProgress: ({ total }) => totals.push(total) })
    expect(totals).toEqual([2, 2])
    await expect(restorer.runPlanes(picture(40, 8, 3), tiles)).rejects.toThrow(
      "tile: expected an overlap of whole pixels from 0 to below the image's shorter side 8, got 8",
    )
  })

  test('a gray image through a color network stays gray', async () => {
    await using restorer = await opened(restormer())
    const restored = await restorer.runPlanes(picture(16, 16, 1))
    expect([restored.channels, restored.data.length]).toEqual([1, 256])
  })

  test('an upscaler uses the degradation of the whole image in every tile', async () => {
    await using restorer = await opened(upscaler)
    const image = picture(48, 32, 3)
    const whole = await restorer.runPlanes(image, { tile: 'none' })
    expect([whole.width, whole.height, whole.channels]).toEqual([96, 64, 3])
    const model = loadModel(openCheckpoint(memorySource(bytesOf(upscaler))))
    const x = imageToTensor(image)
    const { fea } = await nodeSession(model.part('encode')).run({ x })
    const { y } = await nodeSession(model.part('restore')).run({ x, fea: fea ?? expect.fail() })
    expect(whole).toEqual(tensorToImage(y ?? expect.fail()))
    const tiled = await restorer.runPlanes(image, { tile: 32, overlap: 24 })
    const inside = (one: Image) => one.data.subarray(96 * 10, 96 * 10 + 8)
    expect([...inside(tiled)]).toEqual(Array.from(inside(whole), (value) => expect.closeTo(value, 4)))
  })

  test('a network that samples takes a guide, steps and a seed', async () => {
    const unet = { ...conditionalUnetDefaults, ...universalUnet, width: 8, contextWidth: 6 }
    const clip = {
      ...clipDefaults,
      features: 6,
      imageSize: [8, 8] as const,
      patch: 4,
      visionWidth: 64,
      visionLayers: 1,
      visionHeads: 1,
      contextLength: 8,
      textWidth: 64,
      textLayers: 1,
      textHeads: 1,
    }
    const network = new ConditionalUnet(randomInit(sequence()), unet)
    const guide = bytesOf(new DaClip(randomInit(sequence()), clip))
    await expect(opened(network)).rejects.toThrow('guide: expected the DA-CLIP of 6 features')
    await using restorer = await opened(network, { guide, steps: 2 })
    const image = picture(16, 16, 3)
    const [first, again, other] = [
      await restorer.runPlanes(image, { seed: 1 }),
      await restorer.runPlanes(image, { seed: 1 }),
      await restorer.runPlanes(image, { seed: 2 }),
    ]
    expect(again).toEqual(first)
    expect(other.data).not.toEqual(first.data)
    const data = new Uint8Array(3 * 16 * 16).fill(90)
    const several = await restorer.run({ data, width: 16, height: 16, channels: 3 }, { samples: 2 })
    expect(several.info.sampling).toMatchObject({ steps: 2, samples: 2 })
    expect([several.samples.length, several.spread?.raw().channels]).toEqual([2, 1])
  })

  test('two views of a scene in six planes are restored to one picture of three', async () => {
    await using restorer = await opened(restormer({ channelsIn: 6, dualPixel: true }))
    const restored = await restorer.runPlanes(picture(16, 8, 6))
    expect([restored.channels, restored.data.length]).toEqual([3, 3 * 16 * 8])
    expect(restored.data.every(Number.isFinite)).toBe(true)
  })

  test('an abort stops a picture between two tiles, and the next one is restored', async () => {
    await using restorer = await opened(restormer())
    const controller = new AbortController()
    const onProgress = () => controller.abort()
    const { signal } = controller
    const canceled = restorer.runPlanes(picture(64, 64, 3), { tile: 32, signal, onProgress })
    await expect(canceled).rejects.toMatchObject({ code: 'aborted' })
    expect((await restorer.runPlanes(picture(8, 8, 3))).width).toBe(8)
  })

  test('concurrent photos are queued, an abort removes one, and a closed restorer rejects them', async () => {
    const restorer = await opened(restormer())
    const controller = new AbortController()
    const small = () => restorer.runPlanes(picture(8, 8, 3))
    const first = restorer.runPlanes(picture(64, 64, 3), { tile: 32 })
    const waiting = restorer.runPlanes(picture(8, 8, 3), { signal: controller.signal })
    const last = small()
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
    expect([(await first).width, (await last).width]).toEqual([64, 8])
    await restorer.close()
    await expect(small()).rejects.toThrow('restore: expected an open restorer, got a closed one')
  })

  test('two restorers share a runtime that runs one graph at a time', async () => {
    let running = 0
    const exclusively = async <T>(action: () => Promise<T>): Promise<T> => {
      expect(++running).toBe(1)
      const result = await action()
      running--
      return result
    }
    const singleGraph: OnnxRuntime = {
      ...runtime,
      InferenceSession: {
        create: async (model, options) => {
          const session = await exclusively(() => runtime.InferenceSession.create(model, options))
          const run = session.run.bind(session)
          return Object.assign(session, {
            run: (feeds: Parameters<typeof run>[0]) => exclusively(() => run(feeds)),
          })
        },
      },
    }
    const restorers = await Promise.all([1, 2].map(() => opened(restormer(), { runtime: singleGraph })))
    const restored = await Promise.all(restorers.map((one) => one.runPlanes(picture(16, 16, 3))))
    expect(restored[0]).toEqual(restored[1])
    await Promise.all(restorers.map((one) => one.close()))
  })

  test.each([
    ['the card computes as the CPU does, and faster', 0, 'webgpu'],
    ['the card computes something else', 0.1, 'cpu'],
    ['the card refuses the graph', undefined, 'cpu'],
  ])('an ONNX file with device auto where %s', async (_, error, device) => {
    const weights = new Uint8Array(graphFile({ input: [1, 3, 'h', 'w'], output: [1, 3, 'h', 'w'], scale: 2 }))
    vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => ({}) } })
    let clock = 0
    vi.spyOn(performance, 'now').mockImplementation(() => clock)
    const withCard: OnnxRuntime = {
      ...runtime,
      InferenceSession: {
        create: async (model, { executionProviders, ...options }) => {
          const isCard = executionProviders?.includes('webgpu')
          const isStranger = model.length === weights.length
          if (isCard && isStranger && error === undefined) throw new Error('requires f16')
          const session = await runtime.InferenceSession.create(model, options)
          const run = session.run.bind(session)
          return Object.assign(session, {
            run: async (feeds: Parameters<typeof run>[0]) => {
              const outputs = await run(feeds)
              clock += isCard ? 10 : 50
              if (isCard && isStranger)
                for (const { data } of Object.values(outputs)) (data as Float32Array)[0]! += error ?? 0
              return outputs
            },
          })
        },
      },
    }
    await using restorer = await createRestorer({ runtime: withCard, weights })
    expect(restorer.device).toBe(device)
    expect((await restorer.runPlanes(picture(16, 16, 3))).width).toBe(32)
  })

  test('a picture is retried in smaller tiles after running out of memory', async () => {
    const limitedMemory: OnnxRuntime = {
      ...runtime,
      InferenceSession: {
        create: async (model, options) => {
          const session = await runtime.InferenceSession.create(model, options)
          const run = session.run.bind(session)
          return Object.assign(session, {
            run: async (feeds: Parameters<typeof run>[0]) => {
              if ((feeds.x?.dims[3] ?? 0) > 64) throw new Error('std::bad_alloc')
              return run(feeds)
            },
          })
        },
      },
    }
    await using restorer = await opened(restormer(), { runtime: limitedMemory })
    const data = new Uint8Array(3 * 128 * 128).fill(90)
    const result = await restorer.run({ data, width: 128, height: 128, channels: 3 })
    expect(result.info.tiles.px).toBe(64)
  })

  test('tiles are as large as the memory budget allows', async () => {
    const whole = await opened(restormer())
    const data = new Uint8Array(3 * 160 * 160).fill(90)
    const photo = { data, width: 160, height: 160, channels: 3 } as const
    expect((await whole.run(photo)).info.tiles).toEqual({ count: 1, px: undefined })
    const tiled = await opened(restormer(), { memoryBytes: 2e7 })
    expect((await tiled.run(photo)).info.tiles.px).toBeGreaterThanOrEqual(64)
    await Promise.all([whole.close(), tiled.close()])
  })

  test.each([
    [
      'color for a gray network',
      () =>
        opened(restormer({ channelsIn: 1, channelsOut: 1 })).then((one) => one.runPlanes(picture(16, 16, 3))),
      'restore: expected an image with 1 channel(s), got 3; use weights for color, or a gray image',
    ],
    [
      'a tile that is no multiple of 8',
      () => opened(restormer()).then((one) => one.runPlanes(picture(40, 40, 3), { tile: 20 })),
      'tile: expected a multiple of 8 pixels, got 20',
    ],
    [
      'samples that do not fit their size',
      () => opened(restormer()).then((one) => one.run({ data: new Uint8Array(5), width: 2, height: 2 })),
      'image: expected 2 × 2 × 4 samples of 8 bits, got 5 of 8 bits',
    ],
    [
      'weights of another model',
      () => opened(upscaler, { model: 'light-photo' }),
      'weights: expected weights of light-photo, a network light, got those of dasr',
    ],
    [
      'steps for a network that restores in one pass',
      () => opened(restormer(), { steps: 3 }),
      'steps: expected a network that samples',
    ],
    [
      'an unknown device',
      () => Reflect.apply(opened, undefined, [restormer(), { device: 'wasm' }]),
      'device: expected auto, webgpu or cpu, got wasm',
    ],
    [
      'a runtime without its files',
      () =>
        opened(restormer(), {
          runtime: { ...runtime, InferenceSession: { create: () => Promise.reject(new Error('no wasm')) } },
        }),
      'runtime: does not work in this page (no wasm); serve the files of onnxruntime-web',
    ],
    [
      'weights that cannot be fetched',
      () => opened(restormer(), { weights: 'http://127.0.0.1:9/none.safetensors' }),
      'weights: http://127.0.0.1:9/none.safetensors cannot be fetched',
    ],
    [
      'bytes of a file instead of samples',
      () => opened(restormer()).then((one) => Reflect.apply(one.run, one, [new ArrayBuffer(5)])),
      'image: expected samples in data, as ImageData has them, got undefined',
    ],
    [
      'a device that does not exist',
      () => opened(restormer(), { device: 'webgpu', runtime: runtimeWithoutGpu }),
      'webgpu: does not work here (no adapter); use cpu',
    ],
  ])('%s: rejected with advice', async (_, run, message) => {
    await expect(run()).rejects.toThrow(message)
  })
})

test('a result tells what the types that were written left out or converted', async () => {
  await using restorer = await opened(restormer())
  const samples = { width: 8, height: 8, channels: 3, hasAlpha: false, data: new Uint16Array(192) }
  const xmp = Buffer.from('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
  const metadata = { xmp, texts: [{ keyword: 'prompt', text: 'a castle' }] }
  const file = await encodeBytes({ pixels: samples, depth: 16, format: 'png', metadata })
  const result = await restorer.run(new Blob([new Uint8Array(file)]))
  await result.toBlob()
  expect(result.info.notes).toEqual([])
  await result.toBlob({ type: 'image/jpeg', strip: true })
  const depth = 'its 16 bits per sample became 8, since jpeg holds 8'
  expect(result.info.notes).toEqual([depth])
  await result.toBlob({ type: 'image/jpeg' })
  expect(result.info.notes).toEqual([depth, 'left out texts (prompt), which JPEG does not hold'])
})
