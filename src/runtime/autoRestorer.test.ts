// Repairing without being told what is wrong, with a stub that looks and stubs that restore.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { tiffOf } from '../../test/tiffs.ts'
import { noiseLevel } from '../auto/estimates/noiseLevel.ts'
import { describePlan, describeRepair } from '../auto/repairInfo.ts'
import { counterRandom } from '../core/random.ts'
import { type Image, in8Bits, quantize } from '../data/image.ts'
import { type PartedImage, wholeOf } from '../data/parts.ts'
import { noise } from '../degrade/degradationTable.ts'
import { deadLeaves } from '../degrade/pictures/deadLeaves.ts'
import { resizeTo } from '../degrade/resize.ts'
import { damageIds } from '../models/damages.ts'
import { licenses } from '../models/modelCard.ts'
import { type AutoOptions, AutoRestorer, createAutoRestorer, type RepairParts } from './autoRestorer.ts'
import type { Inspector } from './inspector.ts'
import { restore } from './restore.ts'
import type { RestorerOptions } from './restorer.ts'
import type { PictureOptions } from './tiledRestoration.ts'

const processor = vi.hoisted(() => ({ features: [] as string[] }))
vi.mock('../files/processor.ts', () => ({ processorFeatures: () => new Set(processor.features) }))

const dir = mkdtempSync(join(tmpdir(), 'limpid-auto-'))
const at = (name: string) => join(dir, name)
const size = { width: 160, height: 128 }
const truth = in8Bits(resizeTo(deadLeaves.draw({ width: 400, height: 320 }, counterRandom(6)), size))
const noisy = in8Bits(noise({ sigma: 25 })(truth, counterRandom(1)))

function fileOf(image: Image) {
  const bytes = quantize(image, 255, new Uint8Array(image.data.length))
  return sharp(bytes, { raw: { ...size, channels: 3 } })
}

beforeAll(async () => {
  writeFileSync(at('clean.png'), await fileOf(truth).png({ compressionLevel: 3 }).toBuffer())
  writeFileSync(at('noisy.png'), await fileOf(noisy).png().toBuffer())
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length

const rainIs = (seen: boolean) => ({
  presence: damageIds.map((id) => (id === 'rain' && seen ? 4 : -4)),
  severity: damageIds.map(() => 2),
  form: [2, 0, 0],
})

/** Sees noise where it can be measured. */
const inspector: Inspector = {
  sha256: 'stub',
  inspect: async (photo) => {
    const level = noiseLevel([wholeOf(photo)])
    const isNoisy = level > 9
    return {
      presence: damageIds.map((id) => (id === 'noise' && isNoisy ? 4 : -4)),
      severity: damageIds.map(() => Math.log(level / 8)),
      form: [2, 0, 0],
    }
  },
  close: async () => {},
}

type Restores = (image: Image) => Image

/** Networks by name, each a function of a picture; those that were asked are counted. */
function parts(models: Readonly<Record<string, Restores>>, asked: string[] = []): RepairParts {
  return {
    openInspector: async () => inspector,
    isAvailable: (model) => Object.hasOwn(models, model),
    openModel: async ({ model = 'upscale', task, scale = 1 }: RestorerOptions) => ({
      // A task is named for networks with several, and for that which enlarges.
      ...(model !== 'upscale' && task !== undefined ? expect.fail(`${model}: got ${task}`) : {}),
      facts: {
        ...{
          model,
          version: 1,
          network: 'light',
          sha256: model,
          device: 'cpu',
          backend: 'onnx',
          dtype: 'float32',
        },
      } as const,
      license: licenses.apache,
      runStep: async (picture: Image | PartedImage, { strength = 1 }: PictureOptions) => {
        const image = wholeOf(picture)
        asked.push(`${model} ${strength.toFixed(2)}`)
        const full =
          model === 'upscale'
            ? resizeTo(image, { width: image.width * scale, height: image.height * scale })
            : models[model]!(image)
        const data = full.data.map((value, i) =>
          model === 'upscale' ? value : image.data[i]! + strength * (value - image.data[i]!),
        )
        return { image: { ...full, data }, tiles: { count: 1, px: undefined } }
      },
      close: async () => {},
    }),
  }
}

const ideal: Restores = () => truth
const tint: Restores = (image) => ({ ...image, data: image.data.map((value) => value + 0.1) })

function open(models: Readonly<Record<string, Restores>>, options: AutoOptions = {}, asked?: string[]) {
  return AutoRestorer.open(options, parts(models, asked))
}

describe('auto', () => {
  test('repairs what it finds, and tells', async () => {
    await using restorer = await open({ 'light-photo': ideal })
    const result = await restorer.run(at('noisy.png'))
    const { repair, steps, model } = result.info
    // Blocks that failed a check by chance have faded back.
    const error = (data: ArrayLike<number>, scale: number) =>
      truth.data.reduce((sum, value, i) => {
        const [c, at] = [Math.floor(i / 20480), i % 20480]
        return sum + Math.abs((data[scale === 1 ? i : 3 * at + c] ?? 0) / scale - value)
      }, 0)
    expect(error(result.raw().data, 255)).toBeLessThan(0.2 * error(noisy.data, 1))
    expect(repair).toMatchObject({
      findings: [{ damage: 'noise', form: 'even' }],
      done: [{ damages: ['noise'], model: 'light-photo', strength: 1, after: [] }],
      ...{ refused: [], untreated: [] },
    })
    expect([model, steps?.length]).toEqual(['light-photo', 1])
    expect(describeRepair(repair!)).toEqual([
      expect.stringMatching(/^found noise: \w+, 97 % certain, seen$/),
      expect.stringMatching(/^light-photo at 100 % against noise/),
    ])
  })

  test('copies a good photo byte for byte, unless something asks for another file', async () => {
    await using restorer = await open({ 'light-photo': tint })
    const bytes = readFileSync(at('clean.png'))
    for (const input of [at('clean.png'), new Uint8Array(bytes)]) {
      const result = await restorer.run(input)
      expect(Buffer.compare(await result.toBuffer(), bytes)).toBe(0)
      expect(result.info).toMatchObject({
        model: 'light-inspect',
        steps: [],
        repair: { done: [], refused: [] },
      })
      expect(describeRepair(result.info.repair!)).toEqual(['nothing to repair'])
      // The pixels stay in another file too.
      const other = await result.toBuffer({ strip: true })
      expect(Buffer.compare(other, bytes)).not.toBe(0)
      expect(await sharp(other).raw().toBuffer()).toEqual(await sharp(bytes).raw().toBuffer())
      const webp = await result.toBuffer({ format: 'webp' })
      expect(Buffer.from(webp.subarray(8, 12)).toString()).toBe('WEBP')
    }
  })

  test('tries half the strength and another model, then gives up with the reasons', async () => {
    const asked: string[] = []
    await using restorer = await open({ 'light-photo': tint, 'light-denoise': tint }, {}, asked)
    const result = await restorer.run(at('noisy.png'))
    const strengths = asked.map((one) => Number(one.split(' ')[1]))
    expect(asked.map((one) => one.split(' ')[0])).toEqual(['light-photo', 'light-photo', 'light-denoise'])
    expect(strengths[1]).toBeCloseTo(strengths[0]! / 2, 1)
    expect(result.info.repair).toMatchObject({ done: [], refused: [{ damages: ['noise'] }] })
    expect(result.info.repair!.refused[0]!.reasons).toHaveLength(3)
    expect(Buffer.compare(await result.toBuffer(), readFileSync(at('noisy.png')))).toBe(0)
    expect(describeRepair(result.info.repair!)[1]).toMatch(/^kept noise, since light-photo at \d+ % /)
  })

  test('takes the second model where the first does harm', async () => {
    await using restorer = await open({ 'light-photo': tint, 'light-denoise': ideal })
    const { repair } = (await restorer.run(at('noisy.png'))).info
    expect(repair!.done).toMatchObject([{ model: 'light-denoise' }])
  })

  test('refuses a step that leaves the damage', async () => {
    await using restorer = await open({ 'light-photo': (image) => image })
    const { repair } = (await restorer.run(at('noisy.png'))).info
    expect(repair!.refused[0]!.reasons[0]).toMatch(/leaves as much noise as before/)
  })

  test('keeps what blocks fade back', async () => {
    const spoiled: Restores = () => ({
      ...truth,
      data: truth.data.map((value, i) =>
        i % 160 < 20 && Math.floor(i / 160) % 128 < 20 ? 1 - value : value,
      ),
    })
    await using restorer = await open({ 'light-photo': spoiled })
    const { info } = await restorer.run(at('noisy.png'))
    expect(info.repair!.done[0]!.faded).toBeGreaterThan(0)
    expect(info.repair!.done[0]!.faded).toBeLessThan(0.2)
  })

  test('enlarges at the end if asked, and caps the strength', async () => {
    const asked: string[] = []
    await using restorer = await open({ 'light-photo': ideal }, { scale: 2 }, asked)
    const { info } = await restorer.run(at('noisy.png'), { strength: 0.7 })
    expect(info).toMatchObject({ width: 320, scale: 2, steps: [{ strength: 0.7 }, { task: 'upscale' }] })
    expect(asked).toEqual(
      ['light-photo 0.70', 'upscale 1.00'].map((one) => expect.stringContaining(one.split(' ')[0]!)),
    )
    // A good photo is enlarged, and nothing else.
    const clean = await restorer.run(at('clean.png'))
    expect(clean.info.steps).toMatchObject([{ task: 'upscale' }])
    expect(clean.info.width).toBe(320)
  })

  test('treats pages of a document alike, and planes like a picture', async () => {
    const gray = (value: number) => ({ ...size, gray: value })
    writeFileSync(at('pages.tif'), tiffOf([gray(20), gray(200)]))
    let isRain = true
    const looking: Inspector = { ...inspector, inspect: async () => rainIs(isRain) }
    const asked: string[] = []
    const same = parts({ 'restormer-derain': (image) => image }, asked)
    const found = { ...same, openInspector: async () => looking }
    await using restorer = await AutoRestorer.open({}, found)
    await restorer.run(at('pages.tif'), { page: 1 })
    const first = asked.length
    isRain = false
    // Nothing is seen on the second page, but the plan is that of the first.
    await restorer.run(at('pages.tif'), { page: 2 })
    expect([first, asked.length - first]).toEqual([2, 1])

    await using other = await open({ 'light-photo': ideal })
    const { data } = await other.runPlanes(noisy)
    expect(mean(data.map((value, i) => Math.abs(value - truth.data[i]!)))).toBeLessThan(0.01)
    expect(await other.runPlanes(truth)).toEqual(truth)
  })

  test('is identified by the dtype that its networks compute in on this processor', async () => {
    const dtypeOn = async (features: string[], options: AutoOptions) => {
      processor.features = features
      await using restorer = await open({}, { device: 'cpu', ...options })
      return (restorer.identity as { readonly dtype: string }).dtype
    }
    expect(await dtypeOn(['avx512_bf16'], { dtype: 'auto' })).toBe('bfloat16')
    expect(await dtypeOn(['avx512_bf16', 'amx_bf16'], { dtype: 'auto' })).toBe('float32')
    expect(await dtypeOn([], { dtype: 'auto' })).toBe('float32')
    expect(await dtypeOn(['avx512_bf16'], { dtype: 'auto', backend: 'onnx' })).toBe('float32')
    expect(await dtypeOn(['avx512_bf16'], {})).toBe('float32')
  })

  test('plans without doing', async () => {
    const asked: string[] = []
    await using restorer = await open({ 'light-photo': ideal }, { damage: ['haze'] }, asked)
    const plan = await restorer.plan(at('noisy.png'))
    expect(plan.steps).toMatchObject([{ damages: ['noise'], models: ['light-photo'] }])
    expect(describePlan(plan)).toEqual([
      'found haze: severe, 100 % certain, named by you',
      expect.stringMatching(/^found noise/),
      '1. light-photo at 100 % against noise',
      'left haze, since the package has no weights for it; --model light-tone --weights FILE treats it',
    ])
    expect(asked).toEqual([])
  })
})

describe('refused are', () => {
  test('options of one network, unknown damage, and missing weights', async () => {
    await expect(createAutoRestorer({ model: 'light-photo' })).rejects.toThrow(
      'model: expected none beside task auto',
    )
    await expect(createAutoRestorer({ never: ['fog'] })).rejects.toThrow(
      "unknown damage 'fog': expected one of noise",
    )
    await expect(createAutoRestorer({ guide: at('none.safetensors') })).rejects.toThrow(
      'weights of light-inspect',
    )
    const chosen = restore(at('clean.png'), { task: 'denoise', only: ['noise'] })
    await expect(chosen).rejects.toThrow('only: expected task auto')
  })

  test('pictures after the end', async () => {
    const restorer = await open({})
    await restorer.close()
    await expect(restorer.run(at('clean.png'))).rejects.toThrow('got a closed one')
  })
})
