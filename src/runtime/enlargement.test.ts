// Enlargement by any number: which passes are made, and that a result is the network's own, repeated and
// resampled.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeSafetensors } from '../checkpoints/files.ts'
import { LightUpscale } from '../models/lightUpscale/lightUpscale.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { checkScale, enlargementTo } from './enlargement.ts'
import type { ProgressEvent } from './jobs/progress.ts'
import { resizePixels, resizePlanes } from './pictures/resample.ts'
import { createRestorer } from './restorer.ts'

test.each([
  [2, 2, { passes: 1, reached: 2 }],
  [1, 2, { passes: 1, reached: 2 }],
  [2.5, 2, { passes: 2, reached: 4 }],
  [8, 2, { passes: 3, reached: 8 }],
  [3, 4, { passes: 1, reached: 4 }],
  [4.1, 4, { passes: 2, reached: 16 }],
  [1, 1, { passes: 1, reached: 1 }],
])('×%d by a network of ×%d', (scale, own, expected) => {
  expect(enlargementTo(scale, own)).toEqual(expected)
})

test.each([1e6, 65, 0.5, Number.NaN])('a network that claims to enlarge %d times is refused', (own) => {
  expect(() => checkScale(undefined, own, 'a.pth')).toThrow(
    `a.pth: expected a network that enlarges at most 64 times, got one that claims ${own}`,
  )
})

test('a scale is from 1 to 8, and needs a network that enlarges', () => {
  expect(checkScale(undefined, 3, 'a')).toBe(3)
  expect(checkScale(1.5, 2, 'a')).toBe(1.5)
  for (const scale of [0.5, 9, Number.NaN])
    expect(() => checkScale(scale, 2, 'a')).toThrow(`scale: expected a number from 1 to 8, got ${scale}`)
  expect(() => checkScale(2, 1, 'light-photo')).toThrow('light-photo does not enlarge, got 2; leave it out')
})

test('resizing keeps flat colors and opacity, and agrees with planes', () => {
  const data = Uint8Array.from({ length: 12 * 9 * 4 }, (_, i) => [200, 10, (i * 37) % 256, 255][i % 4]!)
  const resized = resizePixels(
    { width: 12, height: 9, channels: 3, hasAlpha: true, data },
    { width: 7, height: 4 },
    false,
  )
  const third = data.filter((_, i) => i % 4 === 2)
  const plane = resizePlanes(
    { width: 12, height: 9, channels: 1, data: Float32Array.from(third) },
    { width: 7, height: 4 },
  )
  for (const [i, value] of plane.data.entries()) {
    expect([...resized.data.subarray(4 * i, 4 * i + 4)].filter((_, c) => c !== 2)).toEqual([200, 10, 255])
    expect(Math.abs(resized.data[4 * i + 2]! - Math.min(Math.max(value, 0), 255))).toBeLessThan(0.501)
  }
})

describe('a network of ×2', () => {
  const dir = mkdtempSync(join(tmpdir(), 'limpid-enlargement-'))
  const weights = join(dir, 'x2.safetensors')
  const data = Uint8Array.from({ length: 14 * 9 * 3 }, (_, i) => (i * 37) % 256)
  const picture = { data, width: 14, height: 9, channels: 3 } as const
  const options = { weights, device: 'cpu', threads: 1 } as const

  beforeAll(() => {
    let drawn = 0
    const init = randomInit(() => 0.5 + 0.5 * Math.sin(++drawn))
    const network = new LightUpscale(init, { scale: 2, channels: 8, blocks: 1 })
    writeSafetensors(weights, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test.each([
    [1, 14, 9],
    [1.5, 21, 14],
    [2, 28, 18],
    [3, 42, 27],
    [8, 112, 72],
  ])('reaches ×%d', async (scale, width, height) => {
    await using restorer = await createRestorer({ ...options, scale })
    const events: ProgressEvent[] = []
    const { info } = await restorer.run(picture, { onProgress: (event) => events.push(event) })
    expect(info).toMatchObject({ width, height, scale })
    expect(restorer.scale).toBe(scale)
    const shares = events.flatMap(({ phase, done, total }) => (phase === 'restore' ? [done / total] : []))
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    expect(shares.at(-1)).toBe(1)
  })

  test('runs on its own result and resamples the last', async () => {
    const planes = {
      width: 14,
      height: 9,
      channels: 3,
      data: Float32Array.from(data, (value) => value / 255),
    }
    await using twice = await createRestorer(options)
    const fourfold = await twice.runPlanes(await twice.runPlanes(planes))
    await using restorer = await createRestorer({ ...options, scale: 3 })
    const expected = resizePlanes(fourfold, { width: 42, height: 27 })
    expect((await restorer.runPlanes(planes)).data).toEqual(expected.data)
  })
})
