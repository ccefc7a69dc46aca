// limpid detect: what it tells of photos, by which words, and what it refuses.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limpid } from '../../test/limpid.ts'
import { writePictures } from '../../test/recipes/images.ts'
import { writeSafetensors } from '../checkpoints/files.ts'
import { counterRandom } from '../core/random.ts'
import { clipDefaults } from '../models/clip.ts'
import { DaClip, degradationWords } from '../models/daclip.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { WordsDaClip } from '../train/networks/tenKinds.ts'
import { parsePrompts, rank, tokenize } from './detect.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-detect-'))
const at = (...names: readonly string[]) => join(dir, ...names)
const options = {
  ...clipDefaults,
  ...{ features: 8, imageSide: 16, patch: 8, visionWidth: 64, visionLayers: 1, visionHeads: 1 },
  ...{ contextLength: 12, textWidth: 8, textLayers: 1, textHeads: 1 },
}

const detect = (...args: readonly string[]) => limpid('detect', '--device', 'cpu', ...args)

beforeAll(async () => {
  await writePictures(at('photos'), 2)
  writeFileSync(at('photos', 'broken.png'), 'not a picture')
  mkdirSync(at('weights'))
  for (const [name, create] of [
    ['daclip', (...given: ConstructorParameters<typeof DaClip>) => new DaClip(...given)],
    ['words', (...given: ConstructorParameters<typeof WordsDaClip>) => new WordsDaClip(...given)],
  ] as const) {
    const random = counterRandom(1)
    const network = create(
      randomInit(() => random.uniform()),
      options,
    )
    const tensors = [...stateDict(network)].flatMap(([key, weight]) =>
      key.startsWith('patches.') ? [] : [[key, weight.read()] as const],
    )
    writeSafetensors(at('weights', `${name}.safetensors`), new Map(tensors))
  }
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('probabilities', () => {
  test('are the softmax of scaled cosines, the likeliest first', () => {
    const texts = [Float32Array.of(1, 0), Float32Array.of(0, 3)]
    const found = rank(Float32Array.of(0.1, 0.102), { texts, prompts: ['a', 'b'], scale: 50 })
    const odds = Math.exp((50 * (0.102 - 0.1)) / Math.hypot(0.1, 0.102))
    expect(found.map(({ degradation }) => degradation)).toEqual(['b', 'a'])
    expect(found[0]?.probability).toBeCloseTo(odds / (1 + odds), 6)
  })
})

describe('prompts', () => {
  test('are the ten words unless given, or two and more different texts', () => {
    expect(parsePrompts(undefined)).toEqual(degradationWords)
    expect(parsePrompts(' noisy, a clean photo')).toEqual(['noisy', 'a clean photo'])
    for (const text of ['', 'noisy', 'noisy,', 'noisy,noisy'])
      expect(() => parsePrompts(text)).toThrow('--prompts: expected two or more different texts')
  })

  test('that CLIP would cut are refused', () => {
    const long = 'a dog '.repeat(20).trim()
    expect(() => tokenize(['noisy', long], options)).toThrow(/at most 10 tokens, got 40 in 'a dog a dog/)
  })
})

describe('the command', () => {
  test('lists every photo of a folder, and those that fail, and exits with 1', {
    timeout: 60_000,
  }, async () => {
    const { code, stdout, stderr } = await detect(
      at('photos'),
      '--weights',
      at('weights', 'daclip.safetensors'),
      '--json',
    )
    const { results, failures } = JSON.parse(stdout)
    expect(results.map(({ input }: { input: string }) => input)).toEqual([
      at('photos', '0.png'),
      at('photos', '1.png'),
    ])
    const { degradations } = results[0] as { degradations: { degradation: string; probability: number }[] }
    expect(degradations.map(({ degradation }) => degradation).sort()).toEqual([...degradationWords].sort())
    expect(degradations.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5)
    expect(failures).toMatchObject([{ input: at('photos', 'broken.png') }])
    expect(stderr).toContain('1 of 3 pictures failed')
    expect(code).toBe(1)
  })

  test('compares with the words given and tells of those that are not known', {
    timeout: 60_000,
  }, async () => {
    const words = ['--weights', at('weights', 'words.safetensors')]
    const { code, stdout, stderr } = await detect(
      at('photos', '0.png'),
      ...words,
      '--prompts',
      'noisy,hazy zebra',
      '--top',
      '1',
    )
    expect(stdout).toMatch(/^ *\d+\.\d % {2}(noisy|hazy zebra)\n$/)
    expect(stderr).toContain("'hazy zebra': these weights have not learned 'zebra'")
    expect(code).toBe(0)
    const unknown = await detect(at('photos', '0.png'), ...words, '--prompts', 'noisy,zebra')
    expect(unknown.stderr).toMatch(/expected words that these weights have learned, .* got 'zebra'/)
    expect(unknown.code).toBe(2)
  })

  test('says what to do without weights, or with those of another network', { timeout: 60_000 }, async () => {
    const { code, stderr } = await detect(at('photos', '0.png'), '--model', 'none')
    expect(stderr).toMatch(/none: expected its weights at .*give --weights FILE with those of a DA-CLIP/)
    expect(code).toBe(2)
  })
})
