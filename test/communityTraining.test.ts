// Families of the community train: small configurations overfit one picture, the recipes have their published settings, and files that others saved are
// fine-tuned.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeSafetensors } from '../src/checkpoints/files.ts'
import { elementCount, float32Data, viewAs } from '../src/core/data.ts'
import { l1Loss } from '../src/core/functional.ts'
import { counterRandom } from '../src/core/random.ts'
import type { Tensor } from '../src/core/tensor.ts'
import type { Image } from '../src/data/image.ts'
import { type Init, randomInit } from '../src/nn/init.ts'
import { parameters, stateDict } from '../src/nn/module.ts'
import { networks } from '../src/registry/networks.ts'
import { moveToTorch } from '../src/torch/backend.ts'
import { adamW } from '../src/torch/optim.ts'
import { RandomGenerator } from '../src/torch/rng.ts'
import { trainStep } from '../src/train/optimization/step.ts'
import { checkRecipe, tryPhases } from '../src/train/preflight.ts'
import { rateAt } from '../src/train/recipe/recipe.ts'
import { importRecipe } from '../src/train/recipe/recipeModule.ts'
import { createRun } from '../src/train/trainingRun.ts'
import { libtorchMissing } from './libtorch.ts'
import { writePictures } from './recipes/images.ts'
import { onPictures, prepareTraining } from './training.ts'

interface Family {
  readonly options: object
  readonly size?: number
  readonly learningRate?: number
  readonly steps?: number
}

const attention = { channels: 12, depths: [2], heads: [2], hidden: 24 } as const

/** Small configurations, with the optional parts that have weights. */
const families: Readonly<Record<string, Family>> = {
  esrgan: { options: { channels: 8, growth: 8, blocks: 1, plus: true } },
  compact: { options: { channels: 12, convolutions: 3 }, steps: 32 },
  span: { options: { channels: 12 } },
  // Its layers for positions have a thirty-second of the channels; norms of one or two let nothing through.
  dat: {
    options: { ...attention, channels: 96, depths: [3], upscale: 2, window: [4, 8] },
    learningRate: 1e-3,
  },
  swinir: { options: { ...attention, upscale: 2 } },
  hat: { options: { ...attention, upscale: 2, window: 8, overlapWindow: 12, compressed: 4, squeezed: 2 } },
  drct: {
    options: { channels: 12, heads: [2], growth: 4, hidden: [24, 32, 40, 24, 28], window: 8, upscale: 2 },
  },
  atd: { options: { ...attention, upscale: 2, window: 8, tokens: 16, reduced: 4, categorySize: 64 } },
  rgt: {
    options: { ...attention, channels: 96, depths: [2], upscale: 2, window: [4, 8], reduced: 48 },
    size: 32,
    learningRate: 1e-3,
  },
  omnisr: { options: { width: 16, groups: 1, scale: 2 }, size: 32 },
  srformer: { options: { ...attention, upscale: 2, window: 8 } },
  plksr: { options: { width: 12, blocks: 2, kernel: 9, mixed: 4, scale: 2 } },
  'real-plksr': { options: { width: 16, blocks: 2, kernel: 9, mixed: 4, dysample: true, layerNorm: true } },
  mosr: { options: { width: 12, blocks: 2, hidden: 18, mixed: 12, scale: 2, upsampler: 'averaged' } },
  safmn: { options: { width: 12, blocks: 2, hidden: 24, scale: 2 } },
  dncnn: { options: { channels: 3, width: 12, layers: 5 }, steps: 32 },
  drunet: { options: { widths: [8, 12, 16, 20], blocks: 2, sigma: 25 } },
  scunet: { options: { channels: 64, blocks: [1, 1, 0, 1, 0, 0, 1] }, size: 64, learningRate: 3e-4 },
  nafnet: { options: { width: 8, encoderBlocks: [1, 1], middleBlocks: 1, decoderBlocks: [1, 1] } },
  fbcnn: { options: { widths: [8, 12, 16, 512], blocks: 1 } },
  retinexformer: { options: { width: 8, stages: 1, blocks: [1, 1, 1] } },
  'mix-dehaze-net': { options: { widths: [8, 16, 24], blocks: [1, 1, 1, 1, 1] }, size: 48 },
}

test.skipIf(libtorchMissing !== undefined).each(Object.entries(families))(
  '%s overfits one picture, and all its parameters learn',
  (id, { options, size = 16, learningRate = 3e-3, steps = 16 }) => {
    const descriptor = networks.find((network) => network.id === id) ?? expect.fail()
    const { channels, scale, create } = descriptor.fromOptions(options)
    const random = counterRandom(1)
    const { network, forward } = create(randomInit(() => random.uniform()))
    moveToTorch(network)
    const generator = new RandomGenerator(0)
    const x = generator.rand([1, channels.input, size / 4, size / 4]).upsampleNearest(4)
    const target = x.mul(-0.8).add(0.9).upsampleNearest(scale)
    const trained = parameters(network)
    const before = valuesOf(trained)
    const optimizer = adamW(trained, { weightDecay: 0 })
    const losses = Array.from({ length: steps }, () => {
      const loss = () => l1Loss(forward({ x }).y ?? expect.fail(), target)
      return trainStep({ loss, parameters: trained, optimizer, learningRate }).loss
    })
    const after = valuesOf(trained)
    expect([...trained.keys()].filter((key) => after.get(key) === before.get(key))).toEqual([])
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!)
  },
)

/** Values of tensors as text, to compare. */
function valuesOf(tensors: ReadonlyMap<string, Tensor>): ReadonlyMap<string, string> {
  return new Map(
    [...tensors].map(([key, tensor]) => [key, Buffer.from(tensor.read().bytes).toString('base64')]),
  )
}

describe('recipes', () => {
  const dir = mkdtempSync(join(tmpdir(), 'limpid-community-'))

  beforeAll(async () => {
    await writePictures(join(dir, 'photos'), 2, { width: 300, height: 280 })
    for (const view of ['blur_crops', 'sharp_crops', 'input', 'target'])
      await writePictures(join(dir, 'pairs', view), 2, { width: 270, height: 260 })
  }, 60_000)

  afterAll(() => rmSync(dir, { recursive: true }))

  const moduleOf = (name: string, settings: Readonly<Record<string, string>> = {}) =>
    onPictures(
      pathToFileURL(`recipes/${name}.ts`).href,
      join(dir, name.startsWith('real') ? 'photos' : 'pairs'),
      settings,
    )
  const small = { 'data.phases.0.batch': '2', accumulate: '1', 'network.options.convolutions': '2' }

  test('have the published settings', async () => {
    const compact = await importRecipe(moduleOf('real-esrgan-compact'))
    const nafnet = await importRecipe(moduleOf('nafnet-deblur'))
    for (const recipe of [compact, nafnet]) checkRecipe(recipe)
    expect(compact).toMatchObject({
      steps: 1_000_000,
      accumulate: 4,
      data: { phases: [{ crop: 64, batch: 12 }] },
    })
    expect([0, 999_999].map((step) => rateAt(compact, step))).toEqual([2e-4, 2e-4])
    expect(nafnet).toMatchObject({
      ...{ steps: 200_000, accumulate: 8, maxGradNorm: 0.01, seed: 10 },
      data: { phases: [{ crop: 256, batch: 4 }] },
      network: { options: { width: 32, encoderBlocks: [1, 1, 1, 28], tlc: false } },
    })
    expect(rateAt(nafnet, 0)).toBeCloseTo(1e-3, 9)
    expect(rateAt(nafnet, 100_000)).toBeCloseTo(5.0005e-4, 9)
  })

  test('degrade a sharpened target to a quarter of its side, each time otherwise', async () => {
    const recipe = await importRecipe(moduleOf('real-esrgan-compact'))
    const data = Uint8Array.from({ length: 300 * 280 * 3 }, (_, i) => 127 + 100 * Math.sin(0.001 * i * i))
    const views = { target: { width: 300, height: 280, channels: 3, hasAlpha: false, data } }
    const samples = [1, 2, 3, 4].map((seed) => {
      const { input, target } = recipe.data.sample({
        ...{ index: 0, name: 'photo', views, data: recipe.data, phase: recipe.data.phases[0]!, step: 0 },
        ...{ random: counterRandom(seed), shared: counterRandom(9) },
      }) as { input: Image; target: Image }
      expect([input.width, input.height, target.width, target.height]).toEqual([64, 64, 256, 256])
      expect(input.data.every((value) => value >= 0 && value <= 1)).toBe(true)
      return input.data.join()
    })
    expect(new Set(samples).size).toBe(4)
  })

  test.skipIf(libtorchMissing !== undefined)('run a step from weights of others', async () => {
    const recipe = await importRecipe(moduleOf('real-esrgan-compact', small))
    const { options, create } = recipe.network
    const saved = new Map(
      [
        ...stateDict(
          create(
            randomInit(() => 0.3),
            options,
          ),
        ),
      ].map(([key, tensor]) => [`module.${key}`, tensor.read()]),
    )
    const weights = join(dir, 'others.safetensors')
    writeSafetensors(weights, saved)
    const { run, openLoader } = await prepareTraining(
      moduleOf('real-esrgan-compact', { ...small, 'network.weights': weights }),
    )
    for (const [key, tensor] of stateDict(run.network))
      expect(Buffer.from(tensor.read().bytes)).toEqual(Buffer.from(saved.get(`module.${key}`)!.bytes))
    const [trial] = await tryPhases(run, openLoader, () => {})
    expect(trial?.text).toMatch(/batch 2, crop 64: .* loss \d/)
  })

  test.skipIf(libtorchMissing !== undefined).each(['esrgan', 'swinir', 'dat'])(
    'start from files of %s in all their layouts',
    async (model) => {
      const recipe = await importRecipe(moduleOf('real-esrgan-compact'))
      const descriptor = networks.find(({ id }) => id === model) ?? expect.fail()
      const cases: readonly Case[] = JSON.parse(readFileSync(`test/community/${model}.json`, 'utf8'))
      const weights = join(dir, `${model}.safetensors`)
      for (const { keys, options } of cases) {
        const constant = (shape: readonly number[]) =>
          float32Data(new Float32Array(elementCount(shape)).fill(0.5), shape)
        writeSafetensors(weights, new Map(keys.map(([key, shape]) => [key, constant(shape)])))
        const create = (init: Init) => descriptor.fromOptions(options).create(init).network
        const { network } = createRun({ ...recipe, network: { model, options, create, weights } }, 'cpu')
        for (const tensor of parameters(network).values())
          expect(viewAs(tensor.read().bytes, Float32Array)[0]).toBe(0.5)
      }
    },
  )
})

interface Case {
  readonly keys: readonly (readonly [key: string, shape: readonly number[]])[]
  readonly options: object
}
