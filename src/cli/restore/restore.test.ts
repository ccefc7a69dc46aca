import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { killBatch, stateOf, writeBatch, writeTinyWeights } from '../../../test/batches.ts'
import { limpid, nodeArguments, runScript } from '../../../test/limpid.ts'
import { counterRandom } from '../../core/random.ts'
import type { RestoreOptions } from '../commands/restore.ts'
import { manifestName } from './manifest.ts'
import { restoreCommand } from './restore.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-restore-'))
const at = (...names: string[]) => join(dir, ...names)
const weights = at('tiny.safetensors')

const restore = (...args: string[]) => limpid('restore', ...args, '--weights', weights, '--threads', '1')

beforeAll(async () => {
  writeTinyWeights(weights)
  await writeBatch(at('in'), 12, counterRandom(3))
  const opaque = { create: { width: 9, height: 9, channels: 3, background: 'teal' } } as const
  writeFileSync(at('photo.png'), await sharp(opaque).png().toBuffer())
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('a folder', { timeout: 120_000 }, () => {
  test('is restored with its tree; what fails is told at the end and in the report, and --resume does just that', async () => {
    await writeBatch(at('mixed'), 11, counterRandom(4))
    writeFileSync(at('mixed/folder 0/bad.png'), 'no picture')
    const asked = [at('mixed'), '-o', at('mixed out'), '--recursive']
    const first = await restore(...asked, '--report', at('report.json'), '--jobs', '2')
    expect(first.code).toBe(1)
    expect(first.stdout.trim().split('\n')).toHaveLength(11)
    expect(first.stderr).toContain('restored 11 pictures,')
    const told = first.stderr.trim().split('\n')
    expect(told.at(-2)).toBe('1 of 12 pictures failed:')
    expect(told.at(-1)).toMatch(/^ {2}.*bad\.png: expected a readable still image/)
    expect(first.stderr).toMatch(/\d+\/12 .*: .* s, .* MP\/s, .* left/)
    const report = JSON.parse(readFileSync(at('report.json'), 'utf8'))
    expect(report.results).toHaveLength(11)
    expect(report.failures).toMatchObject([{ input: at('mixed/folder 0/bad.png'), code: 'input' }])
    expect(report.results[0]).toMatchObject({ network: 'light', device: 'cpu', scale: 1 })
    const names = (folder: string) => readdirSync(at(folder), { recursive: true, encoding: 'utf8' })
    const expected = names('mixed').filter((name) => !name.endsWith('bad.png'))
    expect(names('mixed out').sort()).toEqual([manifestName, ...expected].sort())

    const again = await restore(...asked)
    expect(again.code).toBe(1)
    expect(again.stderr).toMatch(
      /mixed out: 11 of 12 results exist already .*; give --resume to go on, another/,
    )
    const other = await restore(...asked, '--resume', '--strength', '0.5')
    expect(other.code).toBe(2)
    expect(other.stderr).toContain('was begun with, strength 1, got 0.5; use those, or another folder')

    writeFileSync(at('mixed/folder 0/bad.png'), readFileSync(at('photo.png')))
    const mended = await restore(...asked, '--resume', '--json')
    expect(mended.code).toBe(0)
    const document = JSON.parse(mended.stdout)
    expect([document.results.length, document.skipped, document.failures]).toEqual([1, 11, []])
  })

  test('that was killed at random moments is gone on with: every file is there once, and nothing else', async () => {
    const paths = { weights, inputs: at('in'), files: 12, random: counterRandom(5) }
    expect(await killBatch({ ...paths, kills: 0, outputs: at('whole') })).toBe(0)
    expect(await killBatch({ ...paths, kills: 3, outputs: at('killed') })).toBe(0)
    const state = stateOf(at('killed'))
    expect(state).toEqual(stateOf(at('whole')))
    expect([...state.finished.values()]).toEqual(Array(12).fill(1))
    expect(state.others).toEqual([])
  })

  test('is interrupted with exit code 130 and says how to go on', async () => {
    const args = ['restore', at('in'), '-o', at('stopped'), '--recursive', '--weights', weights]
    const running = spawn(process.execPath, [...nodeArguments(), ...args])
    let stderr = ''
    running.stderr.on('data', (text) => {
      stderr += text
    })
    running.stdout.once('data', () => running.kill('SIGINT'))
    const code = await new Promise((resolve) => running.on('close', resolve))
    expect([code, stderr]).toEqual([
      130,
      expect.stringMatching(/error: restore: interrupted, \d+ of 12 pictures done; --resume continues\n$/),
    ])
    expect(stateOf(at('stopped')).others).toEqual([])
  })
})

test('a page that compares holds both pictures and loads nothing', { timeout: 60_000 }, async () => {
  const { code, stdout } = await restore(at('photo.png'), '-o', at('a & b.png'), '--compare', '--json')
  expect(code).toBe(0)
  const [result] = JSON.parse(stdout).results
  expect(result.compare).toBe(at('a & b_compare.html'))
  const page = readFileSync(result.compare, 'utf8')
  expect(page.match(/src="data:image\/png;base64,/g)).toHaveLength(2)
  expect(page).toContain('<h1>a &#38; b.png</h1>')
  expect(page).not.toMatch(/https?:|\{(title|caption|width|height|before|after)\}/)
  const script = /<script>(.*)<\/script>/s.exec(page)?.[1] ?? ''
  expect(() => new Function(script)).not.toThrow()
  const before = /id="before" alt="before" src="data:image\/png;base64,([^"]+)"/.exec(page)?.[1] ?? ''
  const { width, height } = await sharp(Buffer.from(before, 'base64')).metadata()
  expect([width, height]).toEqual([9, 9])
})

test('120 damaged files, lies and bombs give a picture or a clear error each', {
  timeout: 120_000,
}, async () => {
  const { code, stdout } = await runScript('test/mutatedImages.ts', '120')
  const { wrong, peakMb, count } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  expect([code, wrong, count]).toEqual([0, 0, 120])
  expect(peakMb).toBeLessThan(600)
})

describe('restore refuses, before a network is opened,', () => {
  const usual: RestoreOptions = {
    tile: 'auto',
    blend: 'smooth',
    strength: 1,
    alpha: 'keep',
    jobs: 1,
    quiet: true,
    backend: 'auto',
    device: 'auto',
    weights: at('absent.safetensors'),
  }

  test.each<[string, string[], Partial<RestoreOptions>, string]>([
    ['resume', ['photo.png'], { resume: true }, '--resume: expected results in a folder'],
    ['piped pages', ['photo.png'], { compare: true, output: '-' }, '--compare: expected results in files'],
    ['piped reports', ['photo.png'], { json: true, output: '-' }, '--json: expected results in files'],
    [
      'reports',
      ['photo.png'],
      { report: at('photo.png/r.json') },
      'photo.png, got a file; choose another folder',
    ],
    ['own input', ['photo.png'], { output: at('photo.png') }, 'expected an output other than the inputs'],
    ['files', ['photo.png', 'in'], { output: at('photo.png') }, '--output: expected a folder for'],
    ['nothing', ['none*.png'], {}, 'expected a pattern that some file matches'],
  ])('%s', async (_, inputs, options, message) => {
    const paths = inputs.map((name) => at(name))
    await expect(restoreCommand(paths, { ...usual, recursive: true, ...options })).rejects.toThrow(message)
    expect(existsSync(at('photo_restored.png'))).toBe(false)
  })
})

describe('limpid models', { timeout: 60_000 }, () => {
  test('lists those of a task, and what restricts their use', async () => {
    const { stdout } = await limpid('models', 'list', '--task', 'derain')
    expect(stdout).toMatch(/^restormer-derain +derain +deraining\.pth +.*; non-commercial$/m)
    expect(stdout).not.toContain('denoise')
    const { models } = JSON.parse((await limpid('models', '--json')).stdout)
    expect(models).toContainEqual(
      expect.objectContaining({ id: 'light-photo', isDefault: true, isPackaged: true, license: 'apache' }),
    )
  })

  test('verifies weights by hash and by loading them', async () => {
    const sound = await limpid('models', 'verify', '--weights', weights)
    expect([sound.code, sound.stdout]).toEqual([
      0,
      expect.stringMatching(/^ok .*: light, sha256 [0-9a-f]{64}\n$/),
    ])
    mkdirSync(at('torn'))
    writeFileSync(at('torn/w.safetensors'), readFileSync(weights).subarray(0, -9))
    const torn = await limpid('models', 'verify', '--weights', at('torn/w.safetensors'))
    expect([torn.code, torn.stdout.startsWith('wrong')]).toEqual([1, true])
    const other = await limpid('models', 'verify', 'light-photo', '--weights', weights)
    expect([other.code, other.stdout]).toEqual([1, expect.stringContaining('width 48, got 4')])
  })
})
