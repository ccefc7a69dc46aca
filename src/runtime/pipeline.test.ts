// Several tasks one after another, handed on in float.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quantize } from '../data/image.ts'
import { wholeOf } from '../data/parts.ts'
import type { ProgressEvent } from './jobs/progress.ts'
import { planesOfPicture } from './pictures/planePicture.ts'
import type { Pipeline } from './pipeline.ts'
import { readInput } from './readInput.ts'
import { createPipeline, restore } from './restore.ts'
import { createRestorer } from './restorer.ts'
import { strictestLicense } from './steps.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-pipeline-'))
const at = (name: string) => join(dir, name)
const cpu = { device: 'cpu', threads: 1 } as const
const size = { width: 40, height: 24 }
let pipeline: Pipeline

/** Noise on a slope. */
const samples = (channels: number) =>
  Uint8Array.from({ length: size.width * size.height * channels }, (_, i) => 60 + ((i * 37) % 41) + (i % 97))

beforeAll(async () => {
  for (const [name, channels] of [
    ['color', 3],
    ['clear', 4],
    ['gray', 1],
  ] as const)
    await sharp(samples(channels), { raw: { ...size, channels } })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .toFile(at(`${name}.png`))
  pipeline = await createPipeline({ ...cpu, task: 'denoise, upscale' })
}, 180_000)
afterAll(async () => {
  await pipeline.close()
  rmSync(dir, { recursive: true, force: true })
})

describe('a pipeline', () => {
  test('hands on what the networks give, without rounding between', async () => {
    const decoded = await readInput(at('color.png'), {})
    let planes = wholeOf(planesOfPicture(decoded))
    for (const task of ['denoise', 'upscale']) {
      await using restorer = await createRestorer({ ...cpu, task })
      planes = await restorer.runPlanes(planes)
    }
    const result = await pipeline.run(at('color.png'))
    expect(result.raw().data).toEqual(quantize(planes, 255, new Uint8Array(planes.data.length)))
  }, 180_000)

  test('reports every step', async () => {
    const events: ProgressEvent[] = []
    const { info } = await pipeline.run(at('color.png'), {
      strength: 0.5,
      onProgress: (event) => events.push(event),
    })
    expect(info).toMatchObject({ model: 'light-photo + light-upscale-x2', scale: 2, width: 80, height: 48 })
    expect(info.steps).toMatchObject([
      { task: 'denoise', model: 'light-photo', strength: 0.5, tiles: { count: 1 } },
      { task: 'upscale', model: 'light-upscale-x2', strength: 0.5, tiles: { count: 1 } },
    ])
    expect(info.tiles.count).toBe(2)
    const shares = events.filter(({ phase }) => phase === 'restore').map(({ done, total }) => done / total)
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    expect(shares.at(-1)).toBe(1)
  })

  test('keeps gray pictures gray and enlarges opacity', async () => {
    expect((await pipeline.run(at('gray.png'))).raw()).toMatchObject({ channels: 1, width: 80 })
    expect((await pipeline.run(at('clear.png'))).raw()).toMatchObject({ channels: 4, height: 48 })
  })

  test('of strength 0 leaves a picture as it is', async () => {
    const same = await restore(at('color.png'), { ...cpu, task: 'denoise,photo', strength: 0 })
    expect([...same.raw().data]).toEqual([...samples(3)])
  }, 180_000)
})

describe('refused are', () => {
  test.each([
    [{ task: 'denoise,upscaling' }, 'task: expected one of photo'],
    [{ task: 'denoise,upscale', model: 'light-photo' }, 'model: expected one task'],
    [{ task: 'denoise,photo', scale: 2 }, 'scale: expected upscale among the tasks'],
  ])('%j', async (options, message) => {
    await expect(createPipeline(options)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(message),
    })
  })

  test('several samples and restored opacity', async () => {
    await expect(pipeline.run(at('color.png'), { samples: 2 })).rejects.toThrow('samples: expected one task')
    await expect(pipeline.run(at('color.png'), { opacity: 'restore' })).rejects.toThrow(
      'opacity: expected keep',
    )
  })

  test('pictures after the end', async () => {
    const closing = await createPipeline({ ...cpu, task: 'denoise,photo' })
    await closing.close()
    await expect(closing.run(at('color.png'))).rejects.toThrow('got a closed one')
  }, 180_000)
})

test.each([
  [[true, undefined, false], 2],
  [[true, undefined, true], 1],
  [[true, true], 0],
])('the license of steps whose licenses allow commerce as %j is number %i', (allowed, strictest) => {
  const steps = allowed.map((isCommercial, i) => ({ license: { title: `${i}`, isCommercial, note: '' } }))
  expect(strictestLicense(steps).title).toBe(`${strictest}`)
})
