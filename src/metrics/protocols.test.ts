import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hashed } from '../../test/hashed.ts'
import { loadTensor } from '../checkpoints/checkpoint.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { viewAs } from '../core/data.ts'
import { decodeImage } from '../data/decode.ts'
import type { Image } from '../data/image.ts'
import type { Degrade } from '../degrade/defineDegradation.ts'
import { imresize } from '../degrade/resize.ts'
import { evaluate, factsOf, type Sample } from './evaluate.ts'
import { metricPool } from './pool.ts'
import { degradedSamples, type Protocol, protocols } from './protocols.ts'

const testSets = join(process.cwd(), '..', 'shared', 'data', 'test')

async function* photosOf(set: string) {
  const folder = join(testSets, set)
  for (const name of readdirSync(folder).sort())
    yield { name, image: (await decodeImage(join(folder, name))).image }
}

/** Crop of scikit-image's chelsea (CC0). */
function chelsea(): Image {
  const stored = readCheckpoint('test/golden/fixtures/dasr/metrics.io.safetensors').tensors.get('in.hr')!
  const data = viewAs(loadTensor(stored).bytes, Float32Array).map((value) => value / 255)
  return { channels: 3, height: 60, width: 72, data }
}

async function* only(image: Image) {
  yield { name: 'chelsea', image }
}

const identity = (input: Image) => input

test('every protocol names existing metrics, its table and its sets', () => {
  for (const protocol of Object.values<Protocol>(protocols)) {
    for (const name of protocol.metrics) expect(factsOf(name).convention).not.toBe('')
    expect(protocol.mirrors).toMatch(/Tables? \d/)
    expect(protocol.sets.length).toBeGreaterThan(0)
    expect(protocol.scale > 1).toBe(protocol.metrics.includes('psnr-y-diff') && protocol.cropPx > 0)
  }
})

async function collect(images: readonly Image[], degrade: Degrade, scale: number): Promise<Sample[]> {
  async function* truths() {
    for (const image of images) yield { name: 'x', image }
  }
  const samples: Sample[] = []
  for await (const sample of degradedSamples(truths(), degrade, scale)) samples.push(sample as Sample)
  return samples
}

const odd: Image = { width: 71, height: 59, channels: 3, data: hashed('odd', [3, 59, 71]) }

test('every input is smaller than its ground truth by the scale, for any size', async () => {
  for (const { inputs, scale } of Object.values<Protocol>(protocols)) {
    for (const degrade of Object.values(inputs)) {
      for (const { input, reference } of await collect([chelsea(), odd], degrade, scale)) {
        expect([input.height * scale, input.width * scale]).toEqual([reference!.height, reference!.width])
      }
    }
  }
})

test('degradations are reproducible and differ between images', async () => {
  const degrade = protocols['ipt-denoise-50'].inputs['sigma=50']!
  const samples = await collect([odd, odd], degrade, 1)
  expect(await collect([odd, odd], degrade, 1)).toEqual(samples)
  expect(samples[0]!.input.data).not.toEqual(samples[1]!.input.data)
})

test('unreadable images pass through', async () => {
  const broken = { name: 'x', error: new Error('cut short') }
  const samples = degradedSamples(
    (async function* () {
      yield broken
    })(),
    identity,
    1,
  )
  expect((await samples.next()).value).toBe(broken)
})

/** PSNR without the clamping that metrics apply. */
function rawPsnr({ input, reference }: Sample): number {
  const squares = input.data.reduce((total, value, i) => total + (value - reference!.data[i]!) ** 2, 0)
  return -10 * Math.log10(squares / input.data.length)
}

const publishedNoise = protocols['restormer-gaussian-color'].inputs['sigma=25']!
const { inputs: bicubic, cropPx } = protocols['ipt-sr-x4']
const upscale = (input: Image) => imresize(input, 4, { rounding: 'uint8' })

test('noise of sigma 25 and bicubic x4 give known PSNR values', async () => {
  const noisy = degradedSamples(only(chelsea()), publishedNoise, 1)
  expect((await evaluate(noisy, identity, ['psnr'])).mean.psnr).toBeCloseTo(20.282, 3)
  const small = degradedSamples(only(chelsea()), bicubic.bicubic!, 4)
  expect((await evaluate(small, upscale, ['psnr-y-diff'], { cropPx })).mean['psnr-y-diff']).toBeCloseTo(
    29.224,
    3,
  )
})

test.skipIf(!existsSync(join(testSets, 'CBSD68')))(
  'CBSD68 with the published noise of sigma 25 has 20.18 dB, and 20.54 dB once clipped to 8 bits',
  { timeout: 180_000 },
  async () => {
    const raw: number[] = []
    async function* noisy() {
      for await (const sample of degradedSamples(photosOf('CBSD68'), publishedNoise, 1)) {
        raw.push(rawPsnr(sample as Sample))
        yield sample
      }
    }
    const pool = metricPool(2)
    const { mean, failed } = await evaluate(noisy(), identity, ['psnr'], {
      compute: pool.compute,
      concurrency: 3,
    })
    await pool.close()
    expect(failed).toBe(0)
    expect(raw.reduce((total, value) => total + value / raw.length, 0)).toBeCloseTo(20.182, 3)
    expect(mean.psnr).toBeCloseTo(20.543, 3)
  },
)

test.skipIf(!existsSync(join(testSets, 'Set5')))(
  'bicubic x4 upscaling of Set5 has the published 28.42 dB',
  { timeout: 60_000 },
  async () => {
    const samples = degradedSamples(photosOf('Set5'), bicubic.bicubic!, 4)
    const { mean } = await evaluate(samples, upscale, ['psnr-y', 'ssim-y'], { cropPx })
    expect(mean['psnr-y']).toBeCloseTo(28.42, 2)
    expect(mean['ssim-y']).toBeCloseTo(0.81, 3)
  },
)
