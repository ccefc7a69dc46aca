import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeBytes, imageSize } from '../decode.ts'

const read = (name: string) =>
  readFileSync(new URL(`../../../test/golden/heic/${name}.heic`, import.meta.url))

/** Colors of the upper right and lower left corner before turning, 0..255. */
const corners = [
  [10, 45, 110],
  [200, 40, 30],
] as const

describe('HEIC', () => {
  test.each([
    ['8', 8, false],
    ['10', 10, false],
    ['12', 12, false],
    ['alpha', 8, true],
    ['several', 8, false],
  ] as const)('%s is decoded', async (name, depth, hasAlpha) => {
    const decoded = await decodeBytes(read(name))
    const { width, height, channels, data } = decoded.pixels
    expect([width, height, channels, decoded.pixels.hasAlpha]).toEqual([64, 48, 3, hasAlpha])
    expect([decoded.depth, decoded.format]).toEqual([depth, 'heic'])
    const step = hasAlpha ? 4 : 3
    const gain = data instanceof Uint16Array ? 257 : 1
    for (const [i, pixel] of [63, 47 * 64].entries())
      for (let c = 0; c < 3; c++)
        expect(Math.abs(data[pixel * step + c]! / gain - corners[i]![c]!)).toBeLessThan(2)
    if (hasAlpha) expect([data[3], data[10 * 4 + 3]]).toEqual([0, 40])
    expect(await imageSize(read(name))).toEqual({ width: 64, height: 48, format: 'heic' })
  })

  test('is turned upright, with its profile and EXIF', async () => {
    const { pixels, metadata } = await decodeBytes(read('turned'))
    expect([pixels.width, pixels.height]).toEqual([48, 64])
    for (const [c, value] of corners[1].entries()) expect(Math.abs(pixels.data[c]! - value)).toBeLessThan(2)
    const exif = Buffer.from(metadata?.exif ?? [])
    expect(exif.toString('latin1')).toContain('Canon')
    expect(exif.toString('hex')).not.toContain('120103000100000006')
  })

  test.each([
    ['PQ', 16],
    ['HLG', 18],
  ])('in %s is refused', async (name, transfer) => {
    const file = read('10')
    file.writeUInt16BE(transfer, file.indexOf('nclx') + 6)
    await expect(decodeBytes(file)).rejects.toThrow(
      `an HDR image (${name}), whose brightness would be flattened`,
    )
  })

  test('that is cut is a damaged file', async () => {
    const file = read('8')
    await expect(decodeBytes(file.subarray(0, file.length - 80))).rejects.toThrow(
      /a (?:damaged HEIC|truncated)/,
    )
  })
})
