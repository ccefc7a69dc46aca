import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limpid } from '../../../test/limpid.ts'
import { writeSafetensors } from '../../checkpoints/files.ts'
import { Light, lightDefaults } from '../../models/light/light.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-eval-'))
const at = (...names: string[]) => join(dir, ...names)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Block {
  readonly name: string
  readonly mean: Readonly<Record<string, number | string>>
  readonly deviation: Readonly<Record<string, number>>
  readonly failed: number
  readonly rows: readonly {
    readonly name: string
    readonly values: Readonly<Record<string, number>>
    readonly error?: string
  }[]
}

interface Document {
  readonly protocol?: string
  readonly cropPx: number
  readonly sha256?: string
  readonly conventions: Readonly<Record<string, string>>
  readonly blocks: readonly Block[]
  readonly failures: readonly object[]
}

const [width, height] = [51, 43]
const picture = (key: number, add = 0) =>
  Uint8Array.from({ length: width * height * 3 }, (_, i) => 120 + add + 100 * Math.sin(i / (5 + key)))
const save = (path: string, data: Uint8Array) =>
  sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(path)

beforeAll(async () => {
  for (const folder of ['pairs/LQ', 'pairs/GT', 'clean', 'broken']) mkdirSync(at(folder), { recursive: true })
  for (const key of [0, 1]) {
    await save(at('pairs', 'GT', `${key}.png`), picture(key))
    await save(at('pairs', 'LQ', `${key}.png`), picture(key, 4 * (key + 1)))
    await save(at('clean', `${key}.png`), picture(key))
    await save(at('broken', `${key}.png`), picture(key))
  }
  writeFileSync(at('broken', 'x<b>.png'), readFileSync(at('clean', '0.png')).subarray(0, 100))
  await sharp(picture(0), { raw: { width, height, channels: 3 } })
    .resize(20, 10)
    .png()
    .toFile(at('small.png'))
  let count = 0
  const network = new Light(
    randomInit(() => (++count * 0.618034) % 1),
    lightDefaults,
  )
  const tensors = new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))
  writeSafetensors(at('light.safetensors'), tensors)
  const card = JSON.stringify({ license: 'CC-BY-NC-4.0' })
  writeSafetensors(at('non-commercial.safetensors'), tensors, new Map([['card', card]]))
})

const decibels = (levels: number) => 20 * Math.log10(255 / levels)

describe('limpid compare', { timeout: 120_000 }, () => {
  test('gives figures with their conventions, and a map whose scale it tells', async () => {
    const pair = [at('pairs', 'GT', '0.png'), at('pairs', 'LQ', '0.png')]
    const { code, stdout } = await limpid('compare', ...pair, '--map', at('map.png'), '--metrics', 'psnr,mae')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^psnr +${decibels(4).toFixed(3)}  dB, RGB rounded to 8 bits`))
    expect(stdout).toContain('4 times amplified')
    const map = await sharp(at('map.png')).raw().toBuffer()
    // 0.5 + 4·(4/255), rounded.
    for (const value of map) expect([143, 144]).toContain(value)
  })

  test('pairs folders and gives equal images an infinite figure, as a word in JSON', async () => {
    const { code, stdout } = await limpid(
      'compare',
      at('clean'),
      at('pairs', 'GT'),
      '--json',
      '--metrics',
      'psnr',
    )
    expect(code).toBe(0)
    const { mean, rows } = JSON.parse(stdout) as Block
    expect(rows.map(({ name }) => name)).toEqual(['0.png', '1.png'])
    expect(mean.psnr).toBe('Infinity')
  })

  test.each([
    [['clean/0.png', 'small.png'], 1, /clean\/0\.png \(51 × 43, color\) and .*small\.png \(20 × 10, color\)/],
    [['clean', 'small.png'], 2, /expected two images or two folders, got a folder and a file/],
    [['clean', 'broken'], 1, /expected partners by path .* none for x<b>\.png/],
    [['clean/0.png', 'broken/x<b>.png'], 1, /x<b>\.png: expected a readable still image/],
    [['clean/0.png', 'absent.png'], 1, /absent\.png/],
  ] as const)('%j are refused with exit code %i', async ([reference, output], expected, message) => {
    const { code, stderr } = await limpid('compare', at(reference), at(output))
    expect(stderr).toMatch(message)
    expect(code).toBe(expected)
  })

  test('lists the metrics where one is unknown', async () => {
    const { code, stderr } = await limpid('compare', at('clean'), at('clean'), '--metrics', 'psnr,snr')
    expect([code, stderr]).toEqual([2, expect.stringMatching(/expected one of psnr, .*lpips.*got 'snr'/)])
  })
})

describe('limpid eval', { timeout: 120_000 }, () => {
  test('says that weights are not for commercial use, unless --quiet', async () => {
    const args = [
      'eval',
      '--weights',
      at('non-commercial.safetensors'),
      '--data',
      at('pairs'),
      '--device',
      'cpu',
    ]
    const said = "License as stated in the weights' card: CC-BY-NC-4.0."
    expect((await limpid(...args)).stderr).toContain(said)
    expect((await limpid(...args, '--quiet')).stderr).not.toContain(said)
  })

  test('measures pairs of folders: rows, mean, deviation, and what the figures are', async () => {
    const { code, stdout } = await limpid('eval', '--none', '--data', at('pairs'), '--json')
    expect(code).toBe(0)
    const { blocks, conventions } = JSON.parse(stdout) as Document
    const [block] = blocks
    expect(blocks.map(({ name }) => name)).toEqual(['pairs'])
    const [a, b] = [decibels(4), decibels(8)]
    expect(block?.rows.map(({ values }) => values.psnr)).toEqual([expect.closeTo(a, 3), expect.closeTo(b, 3)])
    expect(block?.mean.psnr).toBeCloseTo((a + b) / 2, 3)
    expect(block?.deviation.psnr).toBeCloseTo((a - b) / 2, 3)
    expect(conventions.ssim).toMatch(/11×11 Gaussian/)
  })

  test('repeats a table by its protocol, a block for each column', async () => {
    const args = ['--none', '--data', at('clean'), '--protocol', 'restormer-gaussian-color', '--json']
    const { stdout } = await limpid('eval', ...args)
    const { blocks, protocol } = JSON.parse(stdout) as Document
    expect(blocks.map(({ name }) => name)).toEqual(['sigma=15', 'sigma=25', 'sigma=50'])
    const psnr = blocks.map(({ mean }) => mean.psnr as number)
    expect(psnr[0]).toBeGreaterThan(psnr[1] as number)
    expect(psnr[1]).toBeCloseTo(20.4, 0)
    expect(protocol).toContain('Table 5')
  })

  test('enlarges the inputs of the baseline, and cuts the border of the protocol', async () => {
    const { stdout } = await limpid(
      'eval',
      '--none',
      '--data',
      at('clean'),
      '--protocol',
      'ipt-sr-x4',
      '--json',
    )
    const { blocks, cropPx } = JSON.parse(stdout) as Document
    expect(cropPx).toBe(4)
    expect(blocks[0]?.failed).toBe(0)
  })

  test('runs a model on images that it degrades, and writes both reports whole', async () => {
    const args = ['--weights', at('light.safetensors'), '--data', at('broken'), '--degrade', 'noise:sigma=20']
    const { code, stdout, stderr } = await limpid(
      ...['eval', ...args, '--device', 'cpu', '--threads', '1', '--html', at('report.html')],
      ...['--report', at('report.json')],
    )
    expect(stderr).toMatch(/1 of 3 pictures failed:\n {2}.*x<b>\.png: expected a readable still image/)
    expect(code).toBe(1)
    expect(stdout).toContain('noise:sigma=20, seed 0')
    const { blocks, sha256, failures } = JSON.parse(readFileSync(at('report.json'), 'utf8')) as Document
    expect(sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(blocks[0]?.failed).toBe(1)
    expect(failures).toMatchObject([{ input: 'x<b>.png', code: 'input' }])
    expect(blocks[0]?.rows[0]?.values.psnr).toBeGreaterThan(0)
    const html = readFileSync(at('report.html'), 'utf8')
    expect(html.match(/<img src="data:image\/png;base64,/g)?.length).toBe(2 * 4)
    for (const caption of ['input', 'output', 'truth', '4 times amplified']) expect(html).toContain(caption)
    expect(html).toContain('x&#60;b&#62;.png')
    expect(html).not.toContain('x<b>.png')
    expect(html).not.toMatch(/(src|href)="(?!data:)/)
  })

  test('runs a model as restore is told to, and says so', async () => {
    const args = ['--weights', at('light.safetensors'), '--data', at('clean'), '--degrade', 'noise:sigma=20']
    const [once, turned] = await Promise.all(
      [[], ['--self-ensemble', '--tile', 'none']].map(async (how) => {
        const { stdout } = await limpid(
          'eval',
          ...args,
          '--threads',
          '1',
          '--metrics',
          'psnr',
          '--json',
          ...how,
        )
        return JSON.parse(stdout) as Document & Readonly<Record<string, string>>
      }),
    )
    expect([turned?.selfEnsemble, turned?.tiles]).toEqual(['mean over eight turns', 'none, smooth'])
    expect(turned?.blocks[0]?.mean.psnr).not.toBe(once?.blocks[0]?.mean.psnr)
  })

  const clean = ['--data', at('clean')]
  test.each([
    [['--none', ...clean], 2, /expected --truth DIR .*--degrade SPEC .*--protocol/],
    [clean, 2, /expected --model ID, --task NAME, --weights FILE, or --none/],
    [['--none', '--model', 'x', ...clean], 2, /--none beside a model/],
    [['--none', ...clean, '--protocol', 'dasr'], 2, /expected one of dasr-iso-x2, .*dasr-aniso, got dasr/],
    [['--none', ...clean, '--protocol', 'set5'], 2, /expected one of restormer-gaussian-color, /],
    [['--none', ...clean, '--truth', at('clean'), '--degrade', 'noise'], 2, /got --truth too/],
    [['--none', ...clean, '--truth', at('clean'), '--metrics', 'lpips'], 2, /lpips: .*--metric-weights/],
    [['--none', ...clean, '--degrade', 'noise', '--crop', '30'], 1, /more than 60 pixels per side/],
    [
      ['--none', ...clean, '--degrade', 'noise', 'out.json'],
      2,
      /eval: expected 0 arguments, got 1; see --help/,
    ],
    [
      ['--none', ...clean, '--degrade', 'noise', '--html', at('small.png')],
      2,
      /expected a name for a document/,
    ],
    [['--none', '--data', at('absent'), '--degrade', 'noise'], 1, /absent: cannot be read/],
  ] as const)('%j is refused with exit code %i', async (args, expected, message) => {
    const { code, stderr } = await limpid('eval', ...args)
    expect(stderr).toMatch(message)
    expect(code).toBe(expected)
  })
})

const cbsd68 = join(process.cwd(), '..', 'shared', 'data', 'test', 'CBSD68')

test.skipIf(!existsSync(cbsd68))(
  'the baseline of Restormer’s table is 20.5 dB at sigma 25, and the images are not all in memory',
  { timeout: 300_000 },
  async () => {
    const args = ['--none', '--data', cbsd68, '--protocol', 'restormer-gaussian-color', '--json', '--quiet']
    const { blocks } = JSON.parse((await limpid('eval', ...args)).stdout) as Document
    expect(blocks[1]?.rows.length).toBe(68)
    expect(blocks[1]?.mean.psnr).toBeCloseTo(20.543, 3)
  },
)
