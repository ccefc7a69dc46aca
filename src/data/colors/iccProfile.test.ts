import sharp from 'sharp'
import { expect, test } from 'vitest'
import { readProfile } from './iccProfile.ts'

async function builtIn(name: string): Promise<Buffer> {
  const file = await sharp(new Uint8Array(3), { raw: { width: 1, height: 1, channels: 3 } })
    .withIccProfile(name)
    .png()
    .toBuffer()
  return (await sharp(file).metadata()).icc as Buffer
}

test('sRGB is recognized, and Display P3 read as curves and a matrix', async () => {
  expect(readProfile(await builtIn('srgb'))).toMatchObject({ kind: 'srgb', channels: 3 })
  const p3 = readProfile(await builtIn('p3'))
  expect(p3).toMatchObject({ kind: 'matrix', channels: 3 })
  // Red's X and Y under D50, by SMPTE EG 432-1 and the Bradford adaptation.
  const red = 'matrix' in p3 && p3.matrix ? [p3.matrix[0], p3.matrix[3]] : []
  for (const [i, value] of [0.5151, 0.2412].entries()) expect(red[i]).toBeCloseTo(value, 3)
})

test.each([0, 40, 131, 200, 300, -1])('a profile cut at %i bytes is a fault', async (length) => {
  expect(readProfile((await builtIn('p3')).subarray(0, length))).toHaveProperty('fault')
})

test.each([
  ['random bytes', 'not an ICC profile', (icc: Buffer) => icc.map((_, i) => (i * 167 + 91) % 256)],
  ['a size beyond the end', 'bytes', (icc: Buffer) => icc.fill(255, 2, 4)],
  ['a tag beyond the end', 'tags beyond its end', (icc: Buffer) => icc.fill(255, 136, 140)],
  ['more tags than bytes', 'tags beyond its end', (icc: Buffer) => icc.fill(255, 128, 132)],
  ['no curves', 'no curves or primaries', (icc: Buffer) => rename(icc, 'rTRC')],
  ['no primaries', 'no curves or primaries', (icc: Buffer) => rename(icc, 'gXYZ')],
  ['another color space', 'made for CMYK samples', (icc: Buffer) => icc.fill('CMYK', 16, 20)],
  ['a link between devices', 'not of a device', (icc: Buffer) => icc.fill('link', 12, 16)],
])('a profile with %s is a fault', async (_, fault, damage) => {
  expect(readProfile(damage(Buffer.from(await builtIn('p3'))))).toMatchObject({
    fault: expect.stringContaining(fault),
  })
})

function rename(icc: Buffer, tag: string): Buffer {
  icc.write('none', icc.indexOf(tag), 'latin1')
  return icc
}

test('bytes after the profile are left out', async () => {
  const icc = await builtIn('p3')
  const read = readProfile(Buffer.concat([icc, Buffer.alloc(9)]))
  expect('bytes' in read && icc.equals(read.bytes)).toBe(true)
})
