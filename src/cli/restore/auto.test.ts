// limpid restore --task auto on the command line, with a tiny inspecting network whose verdict is known.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limpid } from '../../../test/limpid.ts'
import { writeSafetensors } from '../../checkpoints/files.ts'
import { float32Data } from '../../core/data.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import { counterRandom } from '../../core/random.ts'
import { type Image, quantize } from '../../data/image.ts'
import { noise } from '../../degrade/degradationTable.ts'
import { damageIds } from '../../models/damages.ts'
import { LightInspect, lightInspectDefaults } from '../../models/lightInspect/lightInspect.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-auto-'))
const at = (...names: string[]) => join(dir, ...names)

/** Writes weights that see noise in every photo, severe and for sure. */
function writeInspector(path: string): void {
  const random = counterRandom(1)
  const network = new LightInspect(
    randomInit(() => random.uniform()),
    { ...lightInspectDefaults, stem: [4, 4, 8], layers: 1 },
  )
  const [outputs, features] = network.verdict.weight.shape as [number, number]
  const kinds = damageIds.length
  const bias = Array.from({ length: outputs }, (_, i) =>
    i === 0 ? 5 : i < kinds ? -5 : i < 2 * kinds ? 1 : 0,
  )
  network.verdict.weight = hostTensor(float32Data(new Float32Array(outputs * features), [outputs, features]))
  network.verdict.bias = hostTensor(float32Data(Float32Array.from(bias), [outputs]))
  writeSafetensors(path, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
}

const auto = (...args: string[]) =>
  limpid(
    'restore',
    ...args,
    '--task',
    'auto',
    '--guide',
    at('inspect.safetensors'),
    '--device',
    'cpu',
    '--threads',
    '1',
  )

beforeAll(async () => {
  writeInspector(at('inspect.safetensors'))
  mkdirSync(at('in'))
  const size = { width: 96, height: 72 }
  const data = Float32Array.from({ length: 3 * 96 * 72 }, (_, i) => {
    const [x, y] = [i % 96, Math.floor(i / 96) % 72]
    return 0.5 + 0.3 * Math.sin(x / 17.3) * Math.cos(y / 23.1)
  })
  const scene = { ...size, channels: 3, data }
  const samples = (image: Image) => quantize(image, 255, new Uint8Array(image.data.length))
  const raw = { raw: { ...size, channels: 3 } } as const
  await sharp(samples(scene), raw).png().toFile(at('in', 'clean.png'))
  writeFileSync(
    at('in', 'noisy.png'),
    await sharp(samples(noise({ sigma: 20 })(scene, counterRandom(2))), raw)
      .png()
      .toBuffer(),
  )
  utimesSync(at('in', 'clean.png'), 1e9, 1e9)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('--task auto', { timeout: 180_000 }, () => {
  test('copies what has nothing to repair, and tells what it saw', async () => {
    const { code, stderr, stdout } = await auto(at('in', 'clean.png'), '-o', at('copy.png'))
    expect([code, stdout]).toEqual([0, `${at('copy.png')}\n`])
    expect(readFileSync(at('copy.png'))).toEqual(readFileSync(at('in', 'clean.png')))
    expect(Math.round(statSync(at('copy.png')).mtimeMs)).toBe(1e12)
    expect(stderr).toContain('clean.png: found noise: severe, 99 % certain, seen')
    expect(stderr).toContain('clean.png: nothing to repair')
    expect(stderr).toContain('clean.png: left noise, since it may be the grain of a film')
  })

  test('repairs what the caller names, with report and page', async () => {
    const options = ['--damage', 'noise', '--json', '--quiet', '--compare', '--report', at('report.json')]
    const { code, stderr, stdout } = await auto(at('in', 'noisy.png'), '-o', at('done.png'), ...options)
    expect([code, stderr]).toEqual([0, ''])
    const document = JSON.parse(stdout)
    expect(document.results).toMatchObject([
      {
        model: 'light-photo',
        repair: {
          findings: [{ damage: 'noise', by: ['network', 'caller'] }],
          done: [{ model: 'light-photo' }],
        },
      },
    ])
    expect(JSON.parse(readFileSync(at('report.json'), 'utf8'))).toEqual(document)
    expect(readFileSync(at('done_compare.html'), 'utf8')).toContain('light-photo, whole, on cpu')
    expect(await sharp(at('done.png')).raw().toBuffer()).not.toEqual(
      await sharp(at('in', 'noisy.png')).raw().toBuffer(),
    )
  })

  test('--dry-run prints plans and writes nothing', async () => {
    const { code, stdout } = await auto(at('in'), '-o', at('never'), '--dry-run', '--strength', '0.5')
    expect(code).toBe(0)
    expect(stdout).toContain('noisy.png\n  found noise: severe')
    expect(stdout).toContain('  1. light-photo at 50 % against noise')
    expect(existsSync(at('never'))).toBe(false)
    const never = await auto(at('in', 'noisy.png'), '--dry-run', '--json', '--never', 'noise')
    expect(JSON.parse(never.stdout).results).toMatchObject([
      { steps: [], untreated: [{ damage: 'noise', reason: 'you excluded it' }] },
    ])
  })

  test('a page shows all photos of a folder: changed, failed, as they were', async () => {
    const mixed = at('mixed <i>')
    mkdirSync(mixed)
    for (const name of ['clean', 'noisy'])
      writeFileSync(join(mixed, `${name}.png`), readFileSync(at('in', `${name}.png`)))
    writeFileSync(join(mixed, 'broken.png'), 'no picture')
    const { code } = await auto(
      mixed,
      '-o',
      at('out'),
      '--damage',
      'noise',
      '--html',
      at('page.html'),
      '--quiet',
    )
    expect(code).toBe(1)
    const html = readFileSync(at('page.html'), 'utf8')
    expect(html).toContain('<h1>2 photos changed, 0 as they were, 1 failed</h1>')
    expect(html).toMatch(/Changed: 2.*clean\.png.*light-photo at.*noisy\.png.*Failed: 1.*broken\.png/s)
    expect(html).not.toContain('<i>')
    const sources = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => decodeURIComponent(url!))
    expect(sources).toHaveLength(6)
    for (const source of sources) expect((await sharp(at(source)).metadata()).width).toBe(96)

    const again = await auto(mixed, '-o', at('other'), '--html', at('page2.html'), '--never', 'noise')
    expect(readFileSync(at('page2.html'), 'utf8')).toMatch(
      /0 photos changed, 2 as they were.*nothing to repair/s,
    )
    expect(again.code).toBe(1)
    const refused = await auto(mixed, '-o', at('third'), '--html', at('page.html'))
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('page.html: exists')])
  })

  test.each([
    [['--only', 'fog'], "unknown damage 'fog'"],
    [['--only', 'noise', '--never', 'noise'], 'got noise in both'],
    [['--model', 'light-photo'], 'model: expected none beside task auto'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await auto(at('in', 'clean.png'), ...args)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  test('alone knows damage and plans', async () => {
    const only = await limpid('restore', at('in', 'clean.png'), '--task', 'denoise', '--only', 'noise')
    expect([only.code, only.stderr]).toEqual([2, expect.stringContaining('only: expected task auto')])
    const dry = await limpid('restore', at('in', 'clean.png'), '--task', 'denoise', '--dry-run')
    expect([dry.code, dry.stderr]).toEqual([2, expect.stringContaining('--dry-run: expected --task auto')])
  })
})
