// limpid restore with networks that sample: files, resuming, and options that are another network's.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeTinyWeights } from '../../../test/batches.ts'
import { limpid } from '../../../test/limpid.ts'
import { writeSafetensors } from '../../checkpoints/files.ts'
import { restoringSde } from '../../diffusion/irsde.ts'
import {
  ConditionalNafnet,
  conditionalNafnetDefaults,
} from '../../models/conditionalNafnet/conditionalNafnet.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'
import type { RestoreOptions } from '../commands/restore.ts'
import { manifestName } from './manifest.ts'
import { restoreCommand } from './restore.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-samples-'))
const at = (...names: string[]) => join(dir, ...names)

const restore = (...args: string[]) => limpid('restore', ...args, '--threads', '1')

beforeAll(async () => {
  const blocks = [1, 1] as const
  const options = { ...conditionalNafnetDefaults, width: 8, encoderBlocks: blocks, decoderBlocks: blocks }
  let count = 0
  const network = new ConditionalNafnet(
    randomInit(() => (++count * 0.618034) % 1),
    options,
  )
  const card = { sampling: JSON.stringify({ sde: { ...restoringSde, maxSigma: 30 }, sampler: 'sde' }) }
  const tensors = new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))
  writeSafetensors(at('sampling.safetensors'), tensors, new Map([['card', JSON.stringify(card)]]))
  writeTinyWeights(at('light.safetensors'))
  mkdirSync(at('in'))
  for (const name of ['a', 'b']) {
    const flat = {
      create: { width: 20, height: 12, channels: 4, background: { r: 90, g: 150, b: 30, alpha: 0.5 } },
    } as const
    writeFileSync(at('in', `${name}.png`), await sharp(flat).png().toBuffer())
  }
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const sampling = ['--weights', at('sampling.safetensors'), '--steps', '2', '--tile', '8', '--overlap', '4']

describe('samples', { timeout: 60_000 }, () => {
  test('are beside their mean, with a map of where they disagree and a page', async () => {
    const asked = ['--samples', '2', '--seed', '5', '--compare', '--report', at('report.json')]
    const { code, stdout, stderr } = await restore(
      at('in', 'a.png'),
      '-o',
      at('mean.png'),
      ...sampling,
      ...asked,
    )
    expect([code, stdout]).toEqual([0, `${at('mean.png')}\n`])
    expect(stderr).toMatch(/samples deviate by [\d.]+ of 255 on average, white in the map is [\d.]+/)
    const [result] = JSON.parse(readFileSync(at('report.json'), 'utf8')).results
    expect(result.sampling).toEqual({ sampler: 'sde', steps: 2, seed: 5, samples: 2 })
    expect(result.sampleFiles).toEqual([at('mean-1.png'), at('mean-2.png')])
    expect(result.spreadFile).toBe(at('mean_spread.png'))
    expect(readFileSync(at('mean_compare.html'), 'utf8')).toContain('conditional-nafnet, 2 steps, 8 tiles')
    const map = await sharp(at('mean_spread.png')).metadata()
    expect([map.width, map.height, map.channels]).toEqual([20, 12, 1])
    expect((await sharp(at('mean-2.png')).metadata()).hasAlpha).toBe(true)
    const samples = await Promise.all(
      ['mean-1.png', 'mean-2.png', 'mean.png'].map((name) => sharp(at(name)).raw().toBuffer()),
    )
    const [first, second, mean] = samples.map((bytes) => [...bytes])
    expect(first).not.toEqual(second)
    const clipped = (value: number | undefined) => value === 0 || value === 255
    for (const [i, value] of (mean ?? []).entries()) {
      if (clipped(first?.[i]) || clipped(second?.[i])) continue
      expect(Math.abs(value - ((first?.[i] ?? 0) + (second?.[i] ?? 0)) / 2)).toBeLessThanOrEqual(1)
    }

    const alone = await restore(
      at('in', 'a.png'),
      '-o',
      at('alone.png'),
      ...sampling,
      '--seed',
      '6',
      '--json',
    )
    expect(alone.code).toBe(0)
    expect(readFileSync(at('alone.png'))).toEqual(readFileSync(at('mean-2.png')))
    const again = await restore(
      at('in', 'a.png'),
      '-o',
      at('mean.png'),
      ...sampling,
      '--samples',
      '2',
      '--quiet',
    )
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('exists already')])
  })

  test('of a folder are gone on with by the same seed alone, and leave files of others as they are', async () => {
    const asked = [at('in'), '-o', at('out'), ...sampling, '--samples', '2', '--resume']
    expect((await restore(...asked)).code).toBe(0)
    const names = ['a', 'b'].flatMap((name) => [
      `${name}-1.png`,
      `${name}-2.png`,
      `${name}.png`,
      `${name}_spread.png`,
    ])
    expect(readdirSync(at('out')).sort()).toEqual([manifestName, ...names].sort())
    const other = await restore(...asked, '--seed', '1')
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('was begun with, seed')])
    rmSync(at('out', 'b.png'))
    writeFileSync(at('out', 'b-1.png'), 'mine')
    const refused = await restore(...asked)
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('was not written by the earlier run'),
    ])
    rmSync(at('out', 'b-1.png'))
    expect((await restore(...asked, '--json')).stdout).toContain('"skipped": 1')
    expect(existsSync(at('out', 'b-1.png'))).toBe(true)
  })
})

describe('refused by name are', () => {
  const usual: RestoreOptions = {
    tile: 'auto',
    blend: 'smooth',
    strength: 1,
    opacity: 'keep',
    jobs: 1,
    quiet: true,
    backend: 'auto',
    device: 'cpu',
    dtype: 'float32',
  }

  test.each<[string, Partial<RestoreOptions>, string]>([
    ['light', { steps: 4 }, 'steps: expected a network that samples'],
    ['light', { samples: 2 }, 'samples: expected a network that samples'],
    ['light', { noise: 25 }, 'noise: expected a network that samples'],
    ['sampling', { steps: 101 }, 'steps: expected a whole number from 1 to 100, got 101'],
    ['sampling', { samples: 2, output: '-' }, '--samples: expected results in files, got stdout'],
    ['sampling', { noise: 25 }, 'noise: expected weights of a denoising SDE'],
    ['sampling', { guide: 'light' }, 'guide: expected none'],
  ])('for %s %j', async (weights, options, message) => {
    const running = restoreCommand([at('in', 'a.png')], {
      ...usual,
      ...options,
      weights: at(`${weights}.safetensors`),
    })
    await expect(running).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(message) })
  })

  test('a sample and another result of one name', { timeout: 60_000 }, async () => {
    mkdirSync(at('meeting'))
    for (const name of ['a', 'a-1'])
      writeFileSync(at('meeting', `${name}.png`), readFileSync(at('in', 'a.png')))
    const { code, stderr } = await restore(at('meeting'), '-o', at('met'), ...sampling, '--samples', '2')
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('expected a result of its own for each input'),
    ])
    expect(existsSync(at('met'))).toBe(false)
  })
})
