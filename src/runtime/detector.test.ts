import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeDetectors } from '../../test/detectors.ts'
import { rank } from '../models/daclip/wordRanking.ts'
import { degradationWords } from '../models/daclip/words.ts'
import { createDetector, squaresOf } from './detector.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-detector-'))
const weights = join(dir, 'words.safetensors')
const picture = { width: 20, height: 30, channels: 3, depth: 8, data: new Uint8Array(1800).fill(90) } as const

beforeAll(() => writeDetectors(dir))

afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('probabilities are the softmax of scaled cosines, most likely first', () => {
  const texts = [Float32Array.of(1, 0), Float32Array.of(0, 3)]
  const found = rank([Float32Array.of(0.1, 0.102)], { texts, prompts: ['a', 'b'], scale: 50 })
  const odds = Math.exp((50 * (0.102 - 0.1)) / Math.hypot(0.1, 0.102))
  expect(found.map(({ degradation }) => degradation)).toEqual(['b', 'a'])
  expect(found[0]?.probability).toBeCloseTo(odds / (1 + odds), 6)
  const squares = [Float32Array.of(1, 0), Float32Array.of(0, 1)]
  const even = rank(squares, { texts, prompts: ['a', 'b'], scale: 50 })
  expect(even.map(({ probability }) => probability.toFixed(6))).toEqual(['0.500000', '0.500000'])
})

test('both ends of a picture affect the result', { timeout: 60_000 }, async () => {
  await using detector = await createDetector({ weights, device: 'cpu' })
  const data = picture.data.map((value, i) => (i < 600 ? (i * 97) % 256 : value))
  const rotated = Uint8Array.from({ length: 1800 }, (_, i) => data[1797 - i + 2 * (i % 3)] ?? 0)
  const sorted = async (samples: Uint8Array) =>
    [...(await detector.run({ ...picture, data: samples }))].sort((a, b) =>
      a.degradation.localeCompare(b.degradation),
    )
  expect(await sorted(data)).not.toEqual(await sorted(picture.data))
  expect(await sorted(rotated)).not.toEqual(await sorted(picture.data))
})

describe('a detector', () => {
  test('reports every prompt, by default the ten words', { timeout: 60_000 }, async () => {
    await using detector = await createDetector({ weights, device: 'cpu' })
    const found = await detector.run(picture)
    expect(found.map(({ degradation }) => degradation).sort()).toEqual([...degradationWords].sort())
    expect(found.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5)
    const planes = { width: 20, height: 30, channels: 3, data: new Float32Array(1800).fill(90 / 255) }
    expect(await detector.runPlanes(planes)).toEqual(found)
    expect(detector.notes).toEqual([])
  })

  test.each([
    [300, 200, [0, 50, 100]],
    [200, 300, [0, 50, 100]],
    [200, 200, [0]],
    [3000, 100, Array.from({ length: 15 }, (_, i) => Math.round((2900 * i) / 14))],
  ] as const)('covers %d × %d pixels with at most 15 squares', (width, height, starts) => {
    const data = Float32Array.from({ length: width * height }, (_, i) =>
      Math.max(i % width, Math.floor(i / width)),
    )
    const squares = squaresOf({ width, height, channels: 1, data })
    expect(squares.map(({ data: [first] }) => first)).toEqual([...starts])
  })

  test('rejects an unknown model, even with weights', async () => {
    await expect(createDetector({ weights, model: 'nothing' })).rejects.toThrow(
      "unknown model 'nothing': expected one of",
    )
  })

  test('rejects prompts unless they are two or more different texts of a length that CLIP supports', async () => {
    for (const prompts of [[''], ['noisy'], ['noisy', ' '], ['noisy', 'noisy']])
      await expect(createDetector({ weights, prompts })).rejects.toThrow('prompts: expected two or more')
    const long = { weights, prompts: ['noisy', 'a dog '.repeat(20).trim()] }
    await expect(createDetector(long)).rejects.toThrow(/at most 10 tokens, got 40 in 'a dog a dog/)
  })
})
