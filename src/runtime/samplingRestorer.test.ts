// Restorers of networks that sample, each in its own process, and requests that are rejected before any
// starts.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../test/libtorch.ts'
import { readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
import { float32Data, viewAs } from '../core/data.ts'
import { clipImage } from '../data/clip/clipImage.ts'
import { type Image, imageToTensor, quantize } from '../data/image.ts'
import { denoisingSde, restoringSde } from '../diffusion/irsde.ts'
import { seededNoise } from '../diffusion/samplers.ts'
import { clipDefaults } from '../models/clip/clip.ts'
import {
  ConditionalNafnet,
  conditionalNafnetDefaults,
} from '../models/conditionalNafnet/conditionalNafnet.ts'
import { ConditionalUnet, conditionalUnetDefaults } from '../models/conditionalUnet/conditionalUnet.ts'
import { DaClip } from '../models/daclip/daclip.ts'
import { degradationWords } from '../models/daclip/words.ts'
import { LatentUnet, latentUnetDefaults } from '../models/latentUnet/latentUnet.ts'
import { Light, lightDefaults } from '../models/light/light.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { loadModel } from '../registry/loadModel.ts'
import type { ProgressEvent } from './jobs/progress.ts'
import { restore } from './restore.ts'
import { createRestorer, type Restorer } from './restorer.ts'
import { nodeSession } from './session/nodeOnnxSession.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-sampled-'))
const at = (name: string) => join(dir, `${name}.safetensors`)
const cpu = { device: 'cpu', threads: 1 } as const

function save(name: string, network: object, card?: object): void {
  const tensors = new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))
  writeSafetensors(at(name), tensors, new Map(card ? [['card', JSON.stringify(card)]] : []))
}

function init() {
  let count = 0
  return randomInit(() => (++count * 0.618034) % 1)
}

const unet = { ...conditionalUnetDefaults, width: 32, multipliers: [1, 1] }
const guided = { ...unet, contextWidth: 6, usesContent: true, usesDegradation: true }
const vision = {
  features: 6,
  imageSize: [16, 16] as const,
  patch: 8,
  visionWidth: 64,
  visionLayers: 1,
  visionHeads: 1,
}
const clip = {
  ...clipDefaults,
  ...vision,
  contextLength: 5,
  vocabulary: 11,
  textWidth: 64,
  textLayers: 1,
  textHeads: 1,
}
const blocks = [1, 1] as const
const nafnet = { ...conditionalNafnetDefaults, width: 8, encoderBlocks: blocks, decoderBlocks: blocks }

beforeAll(() => {
  save('universal', new ConditionalUnet(init(), guided))
  save('guide', new DaClip(init(), clip))
  save('worded-guide', new DaClip(init(), { ...clip, contextLength: 8, vocabulary: 49_408 }))
  save('wide-guide', new DaClip(init(), { ...clip, features: 8 }))
  save('latent', new ConditionalNafnet(init(), { ...nafnet, channels: 5, addsFirstFeatures: true }))
  save(
    'compressor',
    new LatentUnet(init(), { ...latentUnetDefaults, multipliers: [1, 2], latentChannels: 5 }),
  )
  const sampling = JSON.stringify({ sde: { ...restoringSde, maxSigma: 10 }, sampler: 'sde' })
  save('derain', new ConditionalUnet(init(), unet), { title: 'rain', sampling })
  save('no-sde', new ConditionalUnet(init(), unet))
  save('denoise', new ConditionalNafnet(init(), { ...nafnet, isConditional: false }))
  save(
    'light',
    new Light(init(), { ...lightDefaults, width: 4, encoderBlocks: blocks, decoderBlocks: blocks }),
  )
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const photo: Image = {
  channels: 3,
  height: 11,
  width: 14,
  data: Float32Array.from(
    { length: 3 * 11 * 14 },
    (_, i) => Math.round(255 * Math.abs(Math.sin(i * 12.9898))) / 255,
  ),
}
const bytes = Uint8Array.from({ length: 3 * 11 * 14 }, (_, i) =>
  Math.round(255 * (photo.data[(i % 3) * 154 + Math.floor(i / 3)] ?? 0)),
)
const samples = { width: 14, height: 11, channels: 3, data: bytes } as const

describe('a universal network', () => {
  let restorer: Restorer
  beforeAll(async () => {
    restorer = await createRestorer({ ...cpu, weights: at('universal'), guide: at('guide'), steps: 2 })
  })
  afterAll(() => restorer.close())

  test('tells what the guide sees, and believes the caller instead', async () => {
    const options = { ...cpu, weights: at('universal'), guide: at('worded-guide'), steps: 2 }
    const { width, height } = photo
    const data = quantize(photo, 255, new Uint8Array(photo.data.length))
    await using seeing = await createRestorer(options)
    const { seen } = (await seeing.run({ data, width, height, channels: 3 })).info
    expect(seen?.map(({ degradation }) => degradation).sort()).toEqual([...degradationWords].sort())
    expect(seen!.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1)
    await using told = await createRestorer({ ...options, damage: ['snow'] })
    const both = await Promise.all([seeing, told].map((one) => one.runPlanes(photo)))
    expect(both[1]!.data).not.toEqual(both[0]!.data)
    await expect(createRestorer({ ...options, damage: ['fog'] })).rejects.toThrow("unknown damage 'fog'")
    await expect(createRestorer({ ...cpu, damage: ['snow'] })).rejects.toThrow(
      'damage: expected task auto or universal, which know kinds of damage, got snow beside light-photo',
    )
  })

  test('takes its first step with the guide’s embeddings of the whole photo', async () => {
    const [network, guide] = ['universal', 'guide'].map((name) => loadModel(readCheckpoint(at(name))))
    const guideSession = nodeSession(guide ?? expect.fail())
    const embeddings = await guideSession.run({ image: clipImage(photo, [16, 16]) })
    const noise = seededNoise(0, photo)(0, 0, 11)
    const state = float32Data(
      photo.data.map((value, i) => value + (50 / 255) * (noise[i] ?? 0)),
      [1, 3, 11, 14],
    )
    const session = nodeSession(network ?? expect.fail())
    const degraded = imageToTensor(photo)
    const time = float32Data(Float32Array.of(100), [1])
    const { prediction } = await session.run({ state, degraded, time, ...embeddings })
    const predicted = viewAs(prediction?.bytes ?? new Uint8Array(), Float32Array)
    // One posterior step from T is the estimate of the clean picture: (x − μ − σ̄ e)/e^(−cs·dt) + μ, with eps
    // 0.005.
    const sigmaBar = (50 / 255) * Math.sqrt(1 - 0.005 ** 2)
    const noisy = viewAs(state.bytes, Float32Array)
    const expected = photo.data.map((mu, i) => (noisy[i]! - mu - sigmaBar * predicted[i]!) / 0.005 + mu)
    const restored = await restorer.runPlanes(photo, { steps: 1 })
    const largest = Math.max(...expected.map(Math.abs))
    for (const [i, value] of expected.entries())
      expect(Math.abs(value - (restored.data[i] ?? 0))).toBeLessThan(1e-4 * largest)
    await Promise.all([guideSession.close(), session.close()])
  })

  test('is determined by the seed, and keeps gray, 16 bits and opacity', async () => {
    const [first, again, other] = await Promise.all([0, 0, 1].map((seed) => restorer.run(samples, { seed })))
    expect(again?.raw().data).toEqual(first?.raw().data)
    expect(other?.raw().data).not.toEqual(first?.raw().data)
    expect(first?.info.sampling).toEqual({ sampler: 'posterior', steps: 2, seed: 0, samples: 1 })
    expect([first?.samples, first?.spread]).toEqual([[], undefined])
    const deep = Uint16Array.from({ length: 8 * 8 * 2 }, (_, i) => i * 500)
    const gray = (await restorer.run({ data: deep, width: 8, height: 8, channels: 2 })).raw()
    expect([gray.channels, gray.depth]).toEqual([2, 16])
    expect(gray.data.filter((_, i) => i % 2 === 1)).toEqual(deep.filter((_, i) => i % 2 === 1))
  })

  test('returns several samples, their mean and their spread', async () => {
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent) => events.push(event)
    const result = await restorer.run(samples, { samples: 3, seed: 4, onProgress, opacity: 'restore' })
    expect(result.samples).toHaveLength(3)
    const alone = await restorer.run(samples, { seed: 5 })
    expect(result.samples[1]?.raw().data).toEqual(alone.raw().data)
    const spread = result.spread?.raw()
    expect([spread?.width, spread?.height, spread?.channels]).toEqual([14, 11, 1])
    expect(Math.max(...(spread?.data ?? []))).toBe(255)
    expect(result.info.spread?.white255).toBeGreaterThan(result.info.spread?.mean255 ?? 0)
    expect(events.at(-1)).toMatchObject({ done: 6, total: 6, sampling: { step: 2, sample: 3, samples: 3 } })
  })

  test('cancels between steps and restores the next picture', async () => {
    const controller = new AbortController()
    const onProgress = ({ sampling }: ProgressEvent) => sampling?.step === 3 && controller.abort()
    const running = restorer.run(samples, { steps: 50, onProgress, signal: controller.signal })
    await expect(running).rejects.toMatchObject({ code: 'aborted' })
    expect((await restorer.run(samples)).info.width).toBe(14)
  })

  test('rejects options of one picture that are out of range', async () => {
    await expect(restorer.run(samples, { steps: 101 })).rejects.toThrow(
      'steps: expected a whole number from 1 to 100',
    )
  })
})

test.skipIf(libtorchMissing !== undefined)('libtorch matches ONNX Runtime', async () => {
  const options = { ...cpu, weights: at('universal'), guide: at('guide'), steps: 3, seed: 1 }
  const [onnx, torch] = await Promise.all(
    ['onnx', 'torch'].map(async (backend) => {
      await using restorer = await createRestorer({ ...options, backend })
      return await restorer.runPlanes(photo)
    }),
  )
  const largest = Math.max(...(onnx?.data.map(Math.abs) ?? []))
  for (const [i, value] of (onnx?.data ?? []).entries())
    expect(Math.abs(value - (torch?.data[i] ?? 0))).toBeLessThan(1e-4 * largest)
})

test('a network for latents restores through its compressor, also in tiles', {
  timeout: 30_000,
}, async () => {
  const options = { ...cpu, weights: at('latent'), guide: at('compressor'), steps: 2 }
  await using restorer = await createRestorer(options)
  expect([restorer.guide?.network.id, restorer.network.id]).toEqual(['latent-unet', 'conditional-nafnet'])
  const whole = await restorer.run(samples)
  expect([whole.info.width, whole.info.height, whole.info.tiles.count]).toEqual([14, 11, 1])
  expect((await restorer.run(samples, { tile: 8 })).info.tiles).toEqual({ count: 4, px: 8 })
  expect((await restorer.runPlanes(photo)).channels).toBe(3)
})

test('a network of the denoising SDE starts at the given noise level', async () => {
  const result = await restore(samples, { ...cpu, weights: at('denoise'), noise: 10, steps: 50 })
  expect(result.info.sampling).toMatchObject({ sampler: 'ode', seed: 0 })
  expect(result.info.sampling?.steps).toBeLessThan(25)
  expect(denoisingSde.steps).toBe(1000)
})

test('weights that state their SDE need no options', async () => {
  const result = await restore(samples, { ...cpu, weights: at('derain'), steps: 1 })
  expect(result.info.sampling).toMatchObject({ sampler: 'sde', steps: 1 })
})

describe('rejected before a process starts', () => {
  test.each([
    [
      'a missing guide',
      { weights: 'universal' },
      'expected --guide FILE, the DA-CLIP of 6 features that it was trained with, got none',
    ],
    [
      'a guide that is no guide',
      { weights: 'universal', guide: 'light' },
      'guide: expected the DA-CLIP of 6 features that it was trained with beside',
    ],
    [
      'a guide of the other kind',
      { weights: 'latent', guide: 'guide' },
      'guide: expected the latent compressor of 5 channels that it was trained with beside',
    ],
    [
      'a guide of another width',
      { weights: 'universal', guide: 'wide-guide' },
      'which has 8; use the file that belongs to these weights',
    ],
    [
      'a guide file that does not exist',
      { weights: 'universal', guide: 'none' },
      'none.safetensors: no such file',
    ],
    ['an unnecessary guide', { weights: 'derain', guide: 'guide' }, 'guide: expected none, as'],
    [
      'a guide of a network that restores in one pass',
      { weights: 'light', guide: 'guide' },
      'guide: expected a network that samples',
    ],
    [
      'a network for latents without its compressor',
      { weights: 'latent' },
      'expected --guide FILE, the latent compressor of 5 channels',
    ],
    [
      'a guide as the network',
      { weights: 'guide' },
      'got daclip, which restores nothing by itself; pass it as the guide',
    ],
    ['weights that do not state their SDE', { weights: 'no-sde' }, 'expected maxSigma (--max-sigma)'],
    [
      'a denoising SDE without the noise level',
      { weights: 'denoise' },
      'noise: expected the deviation of the noise',
    ],
    [
      'steps for a network that restores in one pass',
      { weights: 'light', steps: 4 },
      'steps: expected a network that samples',
    ],
    ['too many steps', { weights: 'derain', steps: 101 }, 'steps: expected a whole number from 1 to 100'],
  ] as const)('%s', async (_, { weights, ...request }, message) => {
    const guide = 'guide' in request ? { guide: at(request.guide) } : {}
    const opening = createRestorer({ ...cpu, ...request, ...guide, weights: at(weights) })
    await expect(opening).rejects.toThrow(message)
  })

  test('weights of another variant than the card', async () => {
    await expect(
      createRestorer({ ...cpu, model: 'daclip-universal', weights: at('universal') }),
    ).rejects.toThrow('expected weights of daclip-universal with')
  })
})
