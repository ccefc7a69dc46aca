import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { killBatch, stateOf, writeBatch, writeTinyWeights } from '../../../test/batches.ts'
import { limpid, program, runNode } from '../../../test/limpid.ts'
import { tiffOf } from '../../../test/tiffs.ts'
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

test('--strip omits the place, or everything, and leaves the input after it', {
  timeout: 120_000,
}, async () => {
  const exif = { IFD0: { Artist: 'Jane' }, IFD3: { GPSLatitudeRef: 'N' } }
  const flat = { create: { width: 9, height: 9, channels: 3, background: 'teal' } } as const
  writeFileSync(at('place.jpg'), await sharp(flat).withExif(exif).jpeg().toBuffer())
  const kept: string[][] = []
  for (const [i, strip] of [[], ['--strip', 'location'], ['--strip']].entries()) {
    const result = at(`place ${i}.jpg`)
    expect((await restore(...strip, at('place.jpg'), '-o', result)).code).toBe(0)
    const bytes = (await sharp(result).metadata()).exif ?? Buffer.alloc(0)
    // The pointer from IFD0 to the place.
    const place = [Buffer.from([0x25, 0x88]), Buffer.from([0x88, 0x25])].some((tag) => bytes.includes(tag))
    kept.push([...(bytes.includes('Jane') ? ['Jane'] : []), ...(place ? ['place'] : [])])
  }
  expect(kept).toEqual([['Jane', 'place'], ['Jane'], []])
  const typo = await restore('--strip', 'locaton', at('place.jpg'), '-o', at('typo.jpg'))
  expect([typo.code, typo.stderr]).toEqual([2, expect.stringContaining('did you mean location?')])
})

test('several tasks run one after another, and are told in the report and on the page', {
  timeout: 120_000,
}, async () => {
  const asked = [at('photo.png'), '-o', at('twice.png'), '--compare', '--json', '--strength', '0.5']
  const { code, stdout } = await limpid('restore', ...asked, '--task', 'denoise,upscale', '--device', 'cpu')
  expect(code).toBe(0)
  expect(JSON.parse(stdout).results).toMatchObject([
    {
      model: 'light-photo + light-upscale-x2',
      ...{ scale: 2, width: 18 },
      steps: [{ task: 'denoise', strength: 0.5 }, { task: 'upscale' }],
    },
  ])
  expect(readFileSync(at('twice_compare.html'), 'utf8')).toContain(
    'light-photo + light-upscale-x2 at strength 0.5, 2 tiles, on cpu',
  )
  const refused = await restore(at('photo.png'), '--task', 'denoise,upscale')
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('expected one task')])
})

describe('--pages', { timeout: 120_000 }, () => {
  const gray = (value: number) => ({ width: 12, height: 8, gray: value })

  test('restores each page into a file of its own; one that is damaged fails by its number', async () => {
    mkdirSync(at('pages'))
    const document = tiffOf([gray(0), gray(100), gray(200)])
    // The second page claims more samples than the file has.
    const offsets = [...document.keys()].filter(
      (i) => document.readUIntLE(i, Math.min(4, document.length - i)) === 0x00040111,
    )
    document.writeUInt32LE(1e6, offsets[1]! + 8)
    writeFileSync(at('pages/scan.tif'), document)
    writeFileSync(at('pages/photo.png'), readFileSync(at('photo.png')))
    const asked = [at('pages'), '-o', at('pages out'), '--strength', '0']
    const refused = await restore(...asked)
    expect(refused.stderr).toContain(
      'scan.tif: expected a readable still image, got: an animation or document of 3 pages; choose one (page, --pages N) or all (--pages all); for commands without --pages, restore --pages all --strength 0 writes files',
    )
    rmSync(at('pages out'), { recursive: true })

    const all = await restore(...asked, '--pages', 'all', '--report', at('pages.json'))
    expect(all.code).toBe(1)
    const written = () => readdirSync(at('pages out')).filter((name) => !name.startsWith('.'))
    expect(written().sort()).toEqual(['photo.png', 'scan_page-1.tif', 'scan_page-3.tif'])
    const shades = ['scan_page-1.tif', 'scan_page-3.tif'].map(
      async (name) => (await sharp(at('pages out', name)).raw().toBuffer())[0],
    )
    expect(await Promise.all(shades)).toEqual([0, 200])
    const input = at('pages/scan.tif')
    expect(all.stderr).toContain(
      `1 of 4 pictures failed:\n  ${input}, page 2: expected a readable still image`,
    )
    const report = JSON.parse(readFileSync(at('pages.json'), 'utf8'))
    expect(report.results).toContainEqual(
      expect.objectContaining({ input, page: 3, output: at('pages out/scan_page-3.tif') }),
    )
    expect(report.failures).toMatchObject([{ input, page: 2, code: 'input' }])

    writeFileSync(at('pages/scan.tif'), tiffOf([gray(0), gray(100), gray(200)]))
    const resumed = await restore(...asked, '--pages', '2', '--resume')
    expect([resumed.code, resumed.stderr]).toEqual([
      1,
      expect.stringContaining(
        'photo.png, page 2: expected a readable still image, got: a single page, without page 2',
      ),
    ])
    expect(written()).toContain('scan_page-2.tif')
  })

  test('restores frames of animations, in the format of the file where it can be written', async () => {
    const frames = Uint8Array.from({ length: 12 * 24 * 3 }, (_, i) => (i < 432 ? 40 : 200))
    const two = { raw: { width: 12, height: 24, channels: 3, pageHeight: 12 } } as const
    writeFileSync(at('two.gif'), await sharp(frames, two).gif().toBuffer())
    writeFileSync(at('two.webp'), await sharp(frames, two).webp({ lossless: true }).toBuffer())
    const first = at('first.png')
    const one = await restore(at('two.gif'), '--pages', '1', '-o', first, '--strength', '0')
    expect([one.code, (await sharp(first).raw().toBuffer())[0]]).toEqual([0, 40])
    const both = await restore(at('two.webp'), '--pages', 'all', '--strength', '0')
    const results = [1, 2].map((page) => at(`two_page-${page}_restored.webp`))
    // Told in the order in which they are done.
    expect([both.code, both.stdout.trim().split('\n').toSorted()]).toEqual([0, results])
    expect((await sharp(results[1]).raw().toBuffer())[0]).toBe(200)
  })
})

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
    expect(first.stderr.match(/bad\.png/g)).toHaveLength(1)
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

  /** Restores the folder; acts once the first result is printed. Resolves with exit code and stderr. */
  async function restoring(outputs: string, act: (running: ReturnType<typeof spawn>) => void) {
    const args = ['restore', at('in'), '-o', at(outputs), '--recursive', '--weights', weights]
    const running = spawn(process.execPath, [program, ...args])
    let stderr = ''
    running.stderr.on('data', (text) => {
      stderr += text
    })
    running.stdout.once('data', () => act(running))
    const code = await new Promise((resolve) => running.on('close', resolve))
    expect(stateOf(at(outputs)).others).toEqual([])
    return { code, stderr }
  }

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    'is interrupted by %s with exit code %i and says how to go on; an echo changes nothing',
    async (name, expected) => {
      const { code, stderr } = await restoring(name, (running) => {
        running.kill(name)
        // At once: later it may meet a process that is already ending, whose signals Node no longer takes.
        running.kill(name)
      })
      expect([code, stderr]).toEqual([
        expected,
        expect.stringMatching(/error: restore: interrupted, \d+ of 12 pictures done; --resume continues\n$/),
      ])
    },
  )

  test('ends without a word once nobody reads its results, and tells by its exit code that some are undone', async () => {
    const { code, stderr } = await restoring('unread', (running) => running.stdout?.destroy())
    expect([code, stderr]).toEqual([1, expect.not.stringMatching(/error|EPIPE|restored/)])
    expect(stateOf(at('unread')).files.size).toBeLessThan(12)
  })
})

test('a page that compares holds both pictures and loads nothing', { timeout: 60_000 }, async () => {
  const name = 'a & {before} {width}.png'
  const { code, stdout } = await restore(at('photo.png'), '-o', at(name), '--compare', '--json')
  expect(code).toBe(0)
  const [result] = JSON.parse(stdout).results
  expect(result.compare).toBe(at('a & {before} {width}_compare.html'))
  const page = readFileSync(result.compare, 'utf8')
  expect(page.match(/src="data:image\/png;base64,/g)).toHaveLength(2)
  expect(page).toContain('<h1>a &#38; {before} {width}.png</h1>')
  expect(page.replaceAll('{before} {width}', '')).not.toMatch(
    /https?:|\{(title|caption|width|height|before|after)\}/,
  )
  const script = /<script>(.*)<\/script>/s.exec(page)?.[1] ?? ''
  expect(() => new Function(script)).not.toThrow()
  const before = /id="before" alt="before" src="data:image\/png;base64,([^"]+)"/.exec(page)?.[1] ?? ''
  const { width, height } = await sharp(Buffer.from(before, 'base64')).metadata()
  expect([width, height]).toEqual([9, 9])
})

test('120 damaged files, lies and bombs give a picture or a clear error each', {
  timeout: 120_000,
}, async () => {
  const { code, stdout } = await runNode('--import', 'tsx', 'test/mutatedImages.ts', '120')
  const { wrong, peakMb, count } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  expect([code, wrong, count]).toEqual([0, 0, 120])
  expect(peakMb).toBeLessThan(600)
})

describe('restore refuses, before a network is opened,', () => {
  const usual: RestoreOptions = {
    tile: 'auto',
    blend: 'smooth',
    strength: 1,
    opacity: 'keep',
    jobs: 1,
    quiet: true,
    backend: 'auto',
    device: 'auto',
    dtype: 'float32',
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
      expect.objectContaining({
        id: 'light-photo',
        defaultFor: ['photo', 'denoise'],
        isPackaged: true,
        license: 'apache',
      }),
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
    const document = await limpid('models', 'verify', '--weights', at('torn/w.safetensors'), '--json')
    expect(JSON.parse(document.stdout).failures).toMatchObject([
      {
        input: at('torn/w.safetensors'),
        code: 'checkpoint',
        message: expect.stringContaining('w.safetensors'),
      },
    ])
    const other = await limpid('models', 'verify', 'light-photo', '--weights', weights)
    expect([other.code, other.stdout]).toEqual([1, expect.stringContaining('width 48, got 4')])
  })
})
