import { afterAll, expect, test } from 'vitest'
import { hashed } from '../../test/hashed.ts'
import { float32Data } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import type { NamedData, Session } from '../core/session.ts'
import type { Image } from '../data/image.ts'
import { computeMetrics, evaluate, type Row, type Sample } from './evaluate.ts'
import { metrics } from './metrics.ts'
import { metricPool } from './pool.ts'

const picture = (key: string, height = 20): Image => ({
  width: 24,
  height,
  channels: 3,
  data: hashed(key, [3, height, 24]),
})
const noisy = ({ data, ...rest }: Image, key: string): Image => {
  const noise = hashed(key, [data.length])
  return { ...rest, data: data.map((value, i) => value + 0.2 * (noise[i]! - 0.5)) }
}
const samples: readonly Sample[] = ['a', 'b', 'c'].map((name) => ({
  name,
  input: noisy(picture(name), `${name} noise`),
  reference: picture(name),
}))
const identity = (input: Image) => input
const names = ['psnr', 'ssim-y'] as const

const pool = metricPool(2)
afterAll(() => pool.close())

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

test('rows, means and deviations match direct computation, in the calling thread and in a pool', async () => {
  const result = await evaluate(stream(samples), identity, names, { cropPx: 2 })
  const expected = samples.map(({ reference, input }) =>
    metrics.psnr.compute(reference, input, { cropPx: 2 }),
  )
  expect(result.rows.map(({ values }) => values.psnr)).toEqual(expected)
  const mean = expected.reduce((total, value) => total + value / 3, 0)
  expect(result.mean.psnr).toBeCloseTo(mean, 10)
  expect(result.deviation.psnr).toBeCloseTo(
    Math.hypot(...expected.map((value) => value - mean)) / 3 ** 0.5,
    10,
  )
  expect(result).toMatchObject({ failed: 0, cropPx: 2, conventions: { psnr: metrics.psnr.convention } })
  const inThreads = await evaluate(samples, identity, names, {
    cropPx: 2,
    compute: pool.compute,
    concurrency: 2,
  })
  expect(inThreads).toEqual(result)
})

test('identical images have infinite PSNR with a deviation of 0', async () => {
  const equal = samples.map(({ name, reference }) => ({ name, input: reference!, reference: reference! }))
  const result = await evaluate(equal, identity, ['psnr'], {})
  expect([result.mean.psnr, result.deviation.psnr]).toEqual([Number.POSITIVE_INFINITY, 0])
})

test('a failed image becomes a row with its error and is excluded from the means', async () => {
  const items = [
    samples[0]!,
    { name: 'broken.png', error: new RestoreError('input', 'broken.png: cut short') },
    { name: 'unpaired.png', input: picture('d') },
    { name: 'other.png', input: picture('e', 21), reference: picture('e') },
    { name: 'crash.png', input: picture('f'), reference: picture('f') },
    samples[1]!,
  ]
  const restore = (input: Image, name: string) => {
    if (name === 'crash.png') throw new Error('out of memory')
    return input
  }
  for (const compute of [computeMetrics, pool.compute]) {
    const reported: Row[] = []
    const result = await evaluate(items, restore, names, {
      compute,
      concurrency: 3,
      onRow: (row) => void reported.push(row),
    })
    expect(reported).toEqual(result.rows)
    expect(result.rows.map(({ name }) => name)).toEqual(items.map(({ name }) => name))
    expect(result.rows.map(({ error }) => error)).toEqual([
      undefined,
      'broken.png: cut short',
      'unpaired.png: expected a reference to compare with, got none',
      expect.stringContaining('reference of 3×20×24 and an output of 3×21×24'),
      'out of memory',
      undefined,
    ])
    expect(result.failed).toBe(4)
    const good = await evaluate([samples[0]!, samples[1]!], identity, names)
    expect(result.mean).toEqual(good.mean)
  }
})

test('a no-reference metric needs no reference', async () => {
  const input = { width: 192, height: 96, channels: 1, data: hashed('n', [96, 192]) }
  const { mean } = await evaluate([{ name: 'n', input }], identity, ['niqe'])
  expect(mean.niqe).toBeGreaterThan(0)
})

/** A fake network that returns the mean of each input. */
const means: Session = {
  run: async (inputs: NamedData) => {
    const of = (name: string) => {
      const { bytes } = inputs[name]!
      const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
      return values.reduce((total, value) => total + value / values.length, 0)
    }
    return inputs.image
      ? { features: float32Data(Float32Array.of(of('image'), 1), [1, 2]) }
      : { distance: float32Data(Float32Array.of(of('output') - of('reference')), [1, 1, 1, 1]) }
  },
  close: async () => {},
}

test('network metrics use sessions: a value per pair, or one for the set', async () => {
  const brighter = (input: Image) => ({ ...input, data: input.data.map((value) => value + 0.25) })
  const items = samples.map((sample) => ({ ...sample, input: sample.reference! }))
  const networks = { lpips: means, fid: means }
  const { rows, mean, deviation } = await evaluate(items, brighter, ['lpips', 'fid'], { networks })
  for (const { values } of rows) expect(values.lpips).toBeCloseTo(0.5, 4)
  expect(Object.keys(rows[0]!.values)).toEqual(['lpips'])
  // Inception input is clamped to 8 bits, LPIPS input is not.
  expect(mean.fid).toBeGreaterThan(0.1)
  expect(mean.fid).toBeLessThan(0.25)
  expect(Object.keys(deviation)).toEqual(['lpips'])
})

test('unknown metrics, no metrics and missing weights are rejected before any restoration', async () => {
  const never = () => {
    throw new Error('worked')
  }
  await expect(evaluate(samples, never, ['psnr', 'psrn'])).rejects.toThrow(/one of psnr, .*fid, got 'psrn'/)
  await expect(evaluate(samples, never, [])).rejects.toThrow(/at least one metric/)
  await expect(evaluate(samples, never, ['lpips'])).rejects.toThrow(
    /lpips: expected the weights .* download .*alexnet.*github\.com.* --metric-weights/,
  )
})

test('cancellation by the signal or the restoration ends the evaluation', async () => {
  const controller = new AbortController()
  const cancel = (input: Image) => {
    controller.abort()
    return input
  }
  const canceled = evaluate(samples, cancel, names, { signal: controller.signal })
  await expect(canceled).rejects.toMatchObject({ code: 'aborted' })
  const rejected = evaluate(samples, () => Promise.reject(new RestoreError('aborted', 'stopped')), names)
  await expect(rejected).rejects.toMatchObject({ code: 'aborted' })
})
