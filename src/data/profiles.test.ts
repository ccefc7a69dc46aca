import sharp from 'sharp'
import { expect, test } from 'vitest'
import { grayTables, profileFits, profileKind } from './profiles.ts'

async function builtIn(name: string): Promise<Buffer> {
  const file = await sharp(new Uint8Array(3), { raw: { width: 1, height: 1, channels: 3 } })
    .withIccProfile(name)
    .png()
    .toBuffer()
  return (await sharp(file).metadata()).icc as Buffer
}

test('sRGB is recognized, Display P3 is another RGB', async () => {
  expect([profileKind(await builtIn('srgb')), profileKind(await builtIn('p3'))]).toEqual(['srgb', 'rgb'])
})

test('a profile fits images of its own channels', async () => {
  const icc = await builtIn('p3')
  expect([profileFits(icc, 3), profileFits(icc, 1)]).toEqual([true, false])
})

test.each([0, 40, 131, 200, 300])(
  'a profile truncated to %i bytes does not crash the parser',
  async (length) => {
    const icc = (await builtIn('p3')).subarray(0, length)
    expect(['rgb', 'other']).toContain(profileKind(icc))
  },
)

test('random bytes are not a profile', () => {
  const noise = Uint8Array.from({ length: 600 }, (_, i) => (i * 167 + 91) % 256)
  expect(profileKind(noise)).toBe('other')
})

test.each([
  ['a power curve', curve(1, [2.2 * 256])],
  ['a table', curve(3, [0, 20000, 65535])],
  ['the identity', curve(0, [])],
])('8-bit samples round-trip through sRGB with %s', (_, tag) => {
  const { toSrgb, fromSrgb } = grayTables(profileOf(tag))
  const eightBits = Array.from({ length: 256 }, (_, i) => i * 257)
  const back = eightBits.map((value) => Math.round(fromSrgb[toSrgb[value]!]! / 257))
  expect(back).toEqual(Array.from({ length: 256 }, (_, i) => i))
})

test('a gray profile with sRGB’s parametric curve is sRGB', () => {
  const tag = Buffer.alloc(40)
  tag.write('para', 'latin1')
  tag.writeUInt16BE(3, 8)
  for (const [i, value] of [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045].entries()) {
    tag.writeInt32BE(Math.round(value * 65536), 12 + i * 4)
  }
  expect([profileKind(profileOf(tag)), profileKind(profileOf(curve(1, [256])))]).toEqual(['srgb', 'gray'])
})

function curve(count: number, values: readonly number[]): Buffer {
  const tag = Buffer.alloc(12 + values.length * 2)
  tag.write('curv', 'latin1')
  tag.writeUInt32BE(count, 8)
  for (const [i, value] of values.entries()) tag.writeUInt16BE(Math.round(value), 12 + i * 2)
  return tag
}

function profileOf(tag: Buffer): Buffer {
  const head = Buffer.alloc(144)
  head.write('GRAY', 16, 'latin1')
  head.write('acsp', 36, 'latin1')
  head.writeUInt32BE(1, 128)
  head.write('kTRC', 132, 'latin1')
  head.writeUInt32BE(144, 136)
  head.writeUInt32BE(tag.length, 140)
  return Buffer.concat([head, tag])
}
