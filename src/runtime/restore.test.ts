import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { openCheckpoint } from '../checkpoints/open.ts'
import { encodeSafetensors } from '../checkpoints/safetensors.ts'
import { memorySource } from '../checkpoints/stored.ts'
import { type Image, imageToTensor } from '../data/image.ts'
import { Dasr, dasrDefaults } from '../models/dasr.ts'
import { Restormer, restormerDefaults } from '../models/restormer.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { loadModel, openOnnx, restoreImage, tracedSession } from '../web.ts'
import { imageReader } from './pixels.ts'
import { tileOffsets } from './tiles/tile.ts'

const tiny = { ...restormerDefaults, dim: 8, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 } as const

/** Numbers in [0, 1) that look random and are the same everywhere. */
function sequence(): () => number {
  let at = 0
  return () => {
    const x = Math.sin(++at * 12.9898) * 43758.5453
    return x - Math.floor(x)
  }
}

function picture(width: number, height: number, channels: number): Image {
  return {
    width,
    height,
    channels,
    data: Float32Array.from({ length: width * height * channels }, sequence()),
  }
}

function open(options = tiny) {
  return opened(new Restormer(randomInit(sequence()), options))
}

function opened(network: object) {
  const tensors = new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))
  const model = loadModel(openCheckpoint(memorySource(encodeSafetensors(tensors))))
  return {
    model,
    session: tracedSession(model, (onnx) => openOnnx(runtime, onnx, { executionProviders: ['cpu'] })),
  }
}

describe('restoreImage through the browser entry', () => {
  test('an image of any size comes back with its size', async () => {
    const { model, session } = open()
    for (const [width, height] of [
      [1, 1],
      [3, 2],
      [13, 21],
      [16, 24],
    ] as const) {
      const restored = await restoreImage(picture(width, height, 3), model, session)
      expect([restored.width, restored.height, restored.channels]).toEqual([width, height, 3])
      expect(restored.data.every(Number.isFinite)).toBe(true)
    }
    await session.close()
  })

  test('one tile that covers the image is the same as no tiles', async () => {
    const { model, session } = open()
    const image = picture(16, 16, 3)
    const whole = await restoreImage(image, model, session)
    const tiled = await restoreImage(image, model, session, { tiles: { tilePx: 64, overlapPx: 8 } })
    expect(tiled.data).toEqual(whole.data)
    await session.close()
  })

  test('tiles are square, with the side of the image where that is shorter', async () => {
    const { model, session } = open()
    const done: number[] = []
    const tiles = { tilePx: 32, overlapPx: 8 }
    await restoreImage(picture(40, 24, 3), model, session, { tiles, onTile: (_, total) => done.push(total) })
    expect(done).toEqual([2, 2])
    await expect(restoreImage(picture(40, 8, 3), model, session, { tiles })).rejects.toThrow(
      "tile: expected an overlap of whole pixels from 0 to below the image's shorter side 8, got 8",
    )
    await session.close()
  })

  test('a session goes on after a refused input, and calls at other sizes take turns', async () => {
    const { session } = open()
    const run = (side: number) => session.run({ x: imageToTensor(picture(side, side, 3)) })
    const first = await run(8)
    await expect(run(9)).rejects.toThrow('x: expected [b 3 h w]')
    const [again, other] = await Promise.all([run(8), run(16), run(8)])
    expect(again.y).toEqual(first.y)
    expect(other.y?.shape).toEqual([1, 3, 16, 16])
    await session.close()
  })

  test('a grey image through a colour network stays grey', async () => {
    const { model, session } = open()
    const restored = await restoreImage(picture(16, 16, 1), model, session)
    expect(restored.channels).toBe(1)
    expect(restored.data.length).toBe(256)
    await session.close()
  })

  test('a network that enlarges gives the whole image enlarged, tiled and not', async () => {
    const size = { groups: 1, blocks: 1, channels: 8, reduction: 2, encoderChannels: [4, 6, 8] } as const
    const { model, session } = opened(
      new Dasr(randomInit(sequence()), { ...dasrDefaults, ...size, scale: 2 }),
    )
    const image = picture(21, 16, 3)
    const whole = await restoreImage(image, model, session)
    expect([whole.width, whole.height, whole.channels]).toEqual([42, 32, 3])
    const { y } = await session.run({ x: imageToTensor(image) })
    expect(imageToTensor(whole)).toEqual(y)
    const tiles = { tilePx: 16, overlapPx: 4 }
    const tiled = await restoreImage(image, model, session, { tiles })
    expect([tiled.width, tiled.height, tiled.data.length]).toEqual([42, 32, whole.data.length])
    expect(tiled.data.every(Number.isFinite)).toBe(true)
    await session.close()
  })

  test('two photos of a scene in six planes come back as one of three', async () => {
    const { model, session } = open({ ...tiny, channelsIn: 6, dualPixel: true } as typeof tiny)
    const restored = await restoreImage(picture(16, 8, 6), model, session)
    expect([restored.channels, restored.data.length]).toEqual([3, 3 * 16 * 8])
    expect(restored.data.every(Number.isFinite)).toBe(true)
    await session.close()
  })

  test('a colour image for a grey network is refused with what to do', async () => {
    const { model, session } = open({ ...tiny, channelsIn: 1, channelsOut: 1 } as typeof tiny)
    await expect(restoreImage(picture(16, 16, 3), model, session)).rejects.toThrow(
      'restore: expected an image with 1 channel(s), got 3; use weights for colour, or a grey image',
    )
  })

  test('a tile that the network does not take is refused', async () => {
    const { model, session } = open()
    const tiles = { tilePx: 20, overlapPx: 4 }
    await expect(restoreImage(picture(40, 40, 3), model, session, { tiles })).rejects.toThrow(
      'tile: expected a multiple of 8 pixels, got 20',
    )
  })
})

describe('padding and tiles', () => {
  test('padding reflects without repeating the edge, and leaves a side that fits alone', () => {
    const line: Image = { width: 5, height: 1, channels: 1, data: Float32Array.of(1, 2, 3, 4, 5) }
    const read = imageReader(line, 1, { width: 8, height: 1 })
    expect([...read(0, 0, 1, 8).data]).toEqual([1, 2, 3, 4, 5, 4, 3, 2])
  })

  test('a side too short to reflect repeats its edge', () => {
    const dot: Image = { width: 2, height: 1, channels: 1, data: Float32Array.of(1, 2) }
    const padded = imageReader(dot, 1, { width: 8, height: 8 })(0, 0, 8, 8)
    expect([...padded.data.subarray(0, 8)]).toEqual([1, 2, 2, 2, 2, 2, 2, 2])
    expect([...padded.data.subarray(56)]).toEqual([1, 2, 2, 2, 2, 2, 2, 2])
  })

  test('tiles start every tile − overlap pixels and the last one ends at the edge', () => {
    expect(tileOffsets(48, 16, 4)).toEqual([0, 12, 24, 32])
    expect(tileOffsets(16, 16, 4)).toEqual([0])
  })
})
