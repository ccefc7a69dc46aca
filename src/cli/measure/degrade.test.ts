import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limpid } from '../../../test/limpid.ts'
import { srgbPrimaries } from '../../data/colors/codingPoints.ts'
import { rgbProfile } from '../../data/colors/matrixProfile.ts'
import { decodeBytes, decodeImage } from '../../data/decode.ts'
import { encodeBytes, encodeImage } from '../../data/encode.ts'
import { parseChain } from '../../degrade/chain.ts'
import { degradations } from '../../degrade/degradationTable.ts'
import { randomFor } from '../../degrade/namedRandom.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-degrade-'))
const at = (...names: string[]) => join(dir, ...names)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const degrade = (...args: string[]) => limpid('degrade', ...args)

const raw = { width: 40, height: 24, channels: 3 } as const
const wave = (key: number) =>
  Uint8Array.from({ length: 40 * 24 * 3 }, (_, i) => 128 + 100 * Math.sin(i / (7 + key)))

beforeAll(async () => {
  mkdirSync(at('in', 'sub'), { recursive: true })
  await sharp(wave(0), { raw }).png().toFile(at('in', 'a.png'))
  await sharp(wave(1), { raw })
    .jpeg({ quality: 95 })
    .withExif({ IFD0: { Copyright: 'Ada' } })
    .toFile(at('in', 'sub', 'b.jpg'))
  const { image } = await decodeImage(at('in', 'a.png'))
  writeFileSync(at('in', 'c.tif'), await encodeImage({ image, alpha: undefined, depth: 16, format: 'tif' }))
  await sharp(wave(3), { raw }).ensureAlpha(0.5).png().toFile(at('alpha.png'))
  writeFileSync(at('cut.png'), readFileSync(at('in', 'a.png')).subarray(0, 200))
  await sharp(Uint8Array.of(9, 9, 9), { raw: { width: 1, height: 1, channels: 3 } })
    .png()
    .toFile(at('dot.png'))
  const frames = { width: 8, height: 16, channels: 3, pageHeight: 8 } as const
  await sharp(wave(4).subarray(0, 8 * 16 * 3), { raw: frames })
    .gif({ loop: 0 })
    .toFile(at('moving.gif'))
})

describe('limpid degrade', { timeout: 120_000 }, () => {
  test('keeps colors outside sRGB, and damages linear light as the eye sees it', async () => {
    const primaries = { red: [0.708, 0.292], green: [0.17, 0.797], blue: [0.131, 0.046] } as const
    const icc = rgbProfile('linear', { ...srgbPrimaries, ...primaries }, [1])
    const data = new Uint8Array(64 * 64 * 3).map((_, i) => [255, 3, 0][i % 3]!)
    const pixels = { width: 64, height: 64, channels: 3, hasAlpha: false, data }
    const metadata = { icc }
    writeFileSync(at('linear.png'), await encodeBytes({ pixels, depth: 8, format: 'png', metadata }))
    const run = (spec: string, to: string) => degrade(at('linear.png'), '-o', at(to), '--with', spec)
    expect((await run('noise:sigma=0', 'same.png')).code).toBe(0)
    const same = await decodeBytes(at('same.png'))
    expect([...same.pixels.data.subarray(0, 3)]).toEqual([255, 3, 0])
    expect(Buffer.from(same.metadata?.icc ?? []).equals(icc!)).toBe(true)
    // A deviation of 25 of 255 in sRGB's curve around its sample 30 is one of about 4 in linear light.
    await run('noise:sigma=25', 'noisy.png')
    const green = [...(await decodeBytes(at('noisy.png'))).pixels.data].filter((_, i) => i % 3 === 1)
    const mean = green.reduce((sum, value) => sum + value / green.length, 0)
    const deviation = Math.sqrt(green.reduce((sum, value) => sum + (value - mean) ** 2 / green.length, 0))
    expect(deviation).toBeGreaterThan(1)
    expect(deviation).toBeLessThan(8)
  })

  test('keeps the tree, depth, metadata and formats without loss; a JPEG becomes PNG', async () => {
    const { code, stdout } = await degrade(
      at('in'),
      '-o',
      at('tree'),
      '--recursive',
      '--with',
      'noise:sigma=10,clip=on',
    )
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toEqual([
      at('tree', 'a.png'),
      at('tree', 'c.tif'),
      at('tree', 'sub', 'b.png'),
    ])
    expect((await decodeImage(at('tree', 'c.tif'))).depth).toBe(16)
    expect((await sharp(at('tree', 'sub', 'b.png')).metadata()).exif?.includes('Ada')).toBe(true)
    const before = await decodeImage(at('in', 'a.png'))
    const chain = parseChain('noise:sigma=10,clip=on')
    const expected = chain(before.image, randomFor(0, 'a'))
    const { image } = await decodeImage(at('tree', 'a.png'))
    for (let i = 0; i < 200; i++) expect(image.data[i]).toBeCloseTo(expected.data[i]!, 2)
  })

  test('gives an image the same damage alone and among others, and other damage by another seed', async () => {
    const spec = ['--with', 'noise:sigma=10,clip=on', '--seed', '5']
    const runs = [
      degrade(at('in'), '-o', at('five'), '--recursive', ...spec),
      degrade(at('in', 'a.png'), '-o', at('one.png'), ...spec),
      degrade(at('in', 'a.png'), '-o', at('six.png'), '--with', 'noise:sigma=10,clip=on', '--seed', '6'),
    ]
    for (const { code } of await Promise.all(runs)) expect(code).toBe(0)
    expect(readFileSync(at('one.png'))).toEqual(readFileSync(at('five', 'a.png')))
    expect(readFileSync(at('one.png'))).not.toEqual(readFileSync(at('six.png')))
  })

  test('shrinks opacity with the image, and a single pixel is an image too', async () => {
    const spec = ['-o', at('small'), '--with', 'resize:scale=0.5']
    const { code } = await degrade(at('alpha.png'), at('dot.png'), ...spec)
    expect(code).toBe(0)
    const { alpha, image } = await decodeImage(at('small', 'alpha.png'))
    expect([image.width, image.height, alpha?.length]).toEqual([20, 12, 240])
    expect(alpha?.[7]).toBeCloseTo(0.5, 2)
    expect((await decodeImage(at('small', 'dot.png'))).image.width).toBe(1)
  })

  test('goes on after images that fail, lists them and exits with 1', async () => {
    const inputs = [at('cut.png'), at('moving.gif'), at('in', 'a.png'), at('absent.png')]
    const { code, stderr, stdout } = await degrade(...inputs, '-o', at('some'), '--with', 'noise')
    expect(code).toBe(1)
    expect(stdout.trim()).toBe(at('some', 'a.png'))
    expect(stderr).toMatch(/3 of 4 pictures failed:\n {2}.*cut\.png: expected a readable still image/)
    expect(stderr).toMatch(/\n {2}.*moving\.gif: .*animation or document of 2 pages/)
    expect(stderr).toMatch(/\n {2}.*absent\.png/)
    expect(readdirSync(at('some'))).toEqual(['a.png'])
  })

  test('lists every degradation with its parameters, and reports as JSON', async () => {
    const [{ stdout }, asJson] = await Promise.all([degrade('--list'), degrade('--list', '--json')])
    for (const { name, parameters } of Object.values(degradations)) {
      expect(stdout).toContain(`\n${name}: `.slice(name === 'blur' ? 1 : 0))
      for (const key of Object.keys(parameters)) expect(stdout).toMatch(new RegExp(`^  ${key} `, 'm'))
    }
    const document = JSON.parse(asJson.stdout) as { degradations: { name: string }[] }
    expect(document.degradations.map(({ name }) => name)).toEqual(Object.keys(degradations))
  })

  const a = at('in', 'a.png')
  const spec = ['--with', 'noise']
  test.each([
    [
      [a, '-o', at('x.png'), '--with', 'noice'],
      2,
      /unknown degradation 'noice': expected one of blur, .*did you mean noise/,
    ],
    [
      [a, '-o', at('x.png'), '--with', 'noise:strength=3'],
      2,
      /unknown parameter of noise 'strength': expected one of sigma/,
    ],
    [[a, '-o', at('x.png'), '--with', 'noise:sigma=900'], 2, /noise: sigma: expected a number from 0 to 255/],
    [[a, '-o', at('x.png')], 2, /expected degradations .*--with/],
    [[a, ...spec], 2, /--output/],
    [[...spec, '-o', at('x.png')], 2, /expected images or folders/],
    [
      [a, at('again', 'a.png'), '-o', at('y'), ...spec],
      2,
      /y\/a\.png: expected a result of its own .* got .*in\/a\.png and .*again/,
    ],
    [[a, at('alpha.png'), '-o', at('y.png'), ...spec], 2, /expected a folder for 2 pictures/],
    [[a, '-o', at('x.bmp'), ...spec], 2, /expected one of png/],
    [
      [a, '-o', at('x.png'), ...spec, '--pixel-limit', '0.0005'],
      1,
      /40 × 24 = 0\.00 megapixels, above the limit .*--pixel-limit/,
    ],
    [[a, '-o', at('in', 'c.tif'), ...spec], 1, /exists already; .*--overwrite/],
  ] as const)('%j is refused with exit code %i', async (args, expected, message) => {
    const { code, stderr } = await degrade(...args)
    expect(stderr).toMatch(message)
    expect(code).toBe(expected)
    expect(existsSync(at('x.png')) || existsSync(at('y'))).toBe(false)
  })
})
