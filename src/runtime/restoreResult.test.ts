import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { writeTinyWeights } from '../../test/batches.ts'
import { imageSize } from '../data/decode.ts'
import { encodeBytes } from '../data/encode.ts'
import type { RestoreInfo } from './pictures/pictureTypes.ts'
import { RestoreResult } from './restoreResult.ts'
import { createRestorer } from './restorer.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-result-'))
const at = (name: string) => join(dir, name)
beforeAll(() => writeTinyWeights(at('w.safetensors')))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const info: RestoreInfo = {
  ...{
    model: 'light',
    network: 'light',
    sha256: undefined,
    device: 'cpu',
    backend: 'onnx',
    dtype: 'float32',
  },
  ...{ width: 8, height: 8, scale: 1, tiles: { count: 1, px: undefined }, notes: [] },
  seconds: { read: 0, restore: 0 },
}

function samples(width: number, height: number) {
  return { width, height, channels: 3, data: new Uint8Array(width * height * 3) } as const
}

function resultOf(width: number, height: number): RestoreResult {
  const pixels = { ...samples(width, height), hasAlpha: false }
  const file = { depth: 8, format: 'webp', metadata: undefined } as const
  return new RestoreResult({ pixels, file, info, toSrgb: (one) => one })
}

const small = resultOf(8, 8)

/** A block that states a maker. */
const canonExif = Buffer.from('49492a000800000001000f010200060000001a0000000000000043616e6f6e00', 'hex')

describe('a result is written', () => {
  test.each([
    ['a.png', undefined, 'png'],
    ['a.JPG', undefined, 'jpeg'],
    ['a.jfif', undefined, 'jpeg'],
    ['a.tif', 'TIFF', 'tiff'],
    ['a.jpeg', 'jpg', 'jpeg'],
    ['a', undefined, 'webp'],
    ['a.data', 'PNG', 'png'],
  ])('to %s with format %s as %s', async (name, format, written) => {
    await small.toFile(at(`${written} ${name}`), format === undefined ? {} : { format })
    expect((await imageSize(at(`${written} ${name}`))).format).toBe(written)
  })

  test('once, of twenty at the same time that may not overwrite', async () => {
    const writes = Array.from({ length: 20 }, () => small.toFile(at('race.png')))
    const ends = await Promise.allSettled(writes)
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})

describe('a result is refused', () => {
  test.each([
    ['x.png', { format: 'tiff' }, 'x.png: expected a name that fits the format tiff, got one of png'],
    ['x.heic', { format: 'jpg' }, 'got one of heic; name it .jpg'],
    ['x.bmp', {}, 'expected one of png, jpg, jpeg, webp, tif, tiff, avif, got bmp'],
    ['x.data', {}, 'got data'],
    [`${'x'.repeat(252)}.png`, {}, 'the name is too long for the file system (ENAMETOOLONG)'],
    ['none/x.png', {}, 'its folder does not exist (ENOENT)'],
  ])('as %s %j', async (name, options, message) => {
    const before = readdirSync(dir)
    await expect(small.toFile(at(name), options)).rejects.toMatchObject({
      name: 'RestoreError',
      message: expect.stringContaining(message),
    })
    expect(readdirSync(dir)).toEqual(before)
  })

  test.each([
    [{ qualty: 90 }, "unknown option of toBuffer 'qualty': .*; did you mean quality\\?"],
    [{ quality: 0 }, 'quality: expected a whole number from 1 to 100, got 0'],
    [{ format: null }, 'format: expected text, got null'],
    [{ strip: 'gps' }, "strip: expected true or false, or location, got 'gps'"],
    [{ background: 'nocolor' }, 'background: expected a color'],
  ])('with options %j', async (options, message) => {
    const refused = { code: 'usage', message: expect.stringMatching(message) }
    await expect(small.toBuffer(options as object)).rejects.toMatchObject(refused)
  })

  test('at no path, and written to a file: URL', async () => {
    for (const path of ['', 5, new URL('https://example.org/x.png')])
      await expect(small.toFile(path as string)).rejects.toMatchObject({ code: 'usage' })
    await small.toFile(pathToFileURL(at('by url.png')))
    expect((await imageSize(at('by url.png'))).format).toBe('png')
    await expect(small.toFile(at('x.png'), { overwrit: true } as object)).rejects.toThrow('mean overwrite?')
  })

  test('where it is too large for its format, before anything is computed', async () => {
    const wide = resultOf(16_384, 2)
    await expect(wide.toBuffer()).rejects.toThrow('expected sides of at most 16383 pixels, which webp holds')
    expect((await wide.toBuffer({ format: 'png' })).length).toBeGreaterThan(0)
    await using restorer = await createRestorer({ weights: at('w.safetensors'), device: 'cpu', threads: 1 })
    const phases: string[] = []
    const run = restorer.run(samples(16_384, 2), {
      format: 'WebP',
      onProgress: ({ phase }) => phases.push(phase),
    })
    await expect(run).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('got 16384 × 2; use png, jpg, jpeg, tif, tiff, avif (--format)'),
    })
    expect(phases).toEqual(['read'])
  })
})

test('many pictures may share a signal without a warning', async () => {
  const warnings: Error[] = []
  const listen = (warning: Error) => warnings.push(warning)
  process.on('warning', listen)
  await using restorer = await createRestorer({ weights: at('w.safetensors'), device: 'cpu', threads: 1 })
  const { signal } = new AbortController()
  await Promise.all(Array.from({ length: 30 }, () => restorer.run(samples(8, 8), { signal })))
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  expect(warnings).toEqual([])
})

test('tiles that are small because little memory was free at the start are noted, and others are not', async () => {
  const open = () => createRestorer({ weights: at('w.safetensors'), device: 'cpu', threads: 1 })
  const available = vi.spyOn(process, 'availableMemory').mockReturnValue(1)
  await using short = await open()
  available.mockRestore()
  await using ample = await open()
  const { tiles, notes } = (await short.run(samples(96, 80))).info
  expect([tiles.px, notes]).toEqual([64, [expect.stringContaining('its tiles are only 64 pixels wide')]])
  expect((await ample.run(samples(96, 80))).info.notes).toEqual([])
  expect((await short.run(samples(96, 80), { tile: 64 })).info.notes).toEqual([])
})

test('tells what each format that was written left out or converted, once', async () => {
  await using restorer = await createRestorer({ weights: at('w.safetensors'), device: 'cpu', threads: 1 })
  const pixels = { ...samples(8, 8), data: new Uint16Array(192), hasAlpha: false }
  const metadata = { iptc: Buffer.from('\x1c\x02x\0\x04Dawn', 'latin1'), exif: canonExif }
  const file = await encodeBytes({ pixels, depth: 16, format: 'PNG', metadata })
  const result = await restorer.run(file)
  expect(result.info.notes).toEqual([])
  await result.toBuffer({ format: 'PNG' })
  await result.toFile(at('stripped.webp'), { strip: true })
  const depth = 'its 16 bits per sample became 8, since webp holds 8'
  expect(result.info.notes).toEqual([depth])
  for (const quality of [90, 80]) await result.toBuffer({ format: 'WebP', quality })
  expect(result.info.notes).toEqual([depth, 'left out IPTC, which WebP does not hold'])
})
