// limpid detect: what it tells of photos, by which words, and what it refuses.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeDetectors } from '../../../test/detectors.ts'
import { limpid } from '../../../test/limpid.ts'
import { writePictures } from '../../../test/recipes/images.ts'
import { tiffOf } from '../../../test/tiffs.ts'
import { degradationWords } from '../../models/daclip/words.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-detect-'))
const at = (...names: readonly string[]) => join(dir, ...names)
const detect = (...args: readonly string[]) => limpid('detect', '--device', 'cpu', ...args)

beforeAll(async () => {
  await writePictures(at('photos'), 2)
  writeFileSync(at('photos', 'broken.png'), 'not a picture')
  mkdirSync(at('weights'))
  writeDetectors(at('weights'))
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

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

  test('looks at each page of a document', { timeout: 60_000 }, async () => {
    const page = (gray: number) => ({ width: 64, height: 64, gray })
    writeFileSync(at('scan.tif'), tiffOf([page(20), page(200)]))
    const weights = ['--weights', at('weights', 'daclip.safetensors'), '--top', '1']
    const refused = await detect(at('scan.tif'), ...weights)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('of 2 pages; choose one') })
    const all = await detect(at('scan.tif'), ...weights, '--pages', 'all')
    const input = at('scan.tif')
    expect(all.stdout).toMatch(new RegExp(`^${input}, page 1\n.*%.*\n${input}, page 2\n.*%.*\n$`))
    const second = await detect(at('scan.tif'), ...weights, '--pages', '2', '--json')
    expect(JSON.parse(second.stdout).results).toMatchObject([{ input, page: 2 }])
  })

  test('refuses a model that does not exist', { timeout: 60_000 }, async () => {
    const { code, stderr } = await detect(at('photos', '0.png'), '--model', 'none')
    expect(stderr).toMatch(/unknown model 'none': expected one of/)
    expect(code).toBe(2)
  })
})
