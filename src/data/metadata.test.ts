import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodeBytes, decodeImage, encodeImage } from './codec.ts'
import { carrierPng, uprightExif } from './metadata.ts'
import { profileKind } from './profiles.ts'

const width = 6
const height = 4
const samples = Uint8Array.from({ length: width * height * 3 }, (_, i) => 40 + ((i * 53) % 160))

/** EXIF with a maker, an orientation, and a second directory that holds the thumbnail. */
function exifBlock(orientation: number): Buffer {
  const block = Buffer.alloc(64)
  block.write('II*\0', 'latin1')
  block.writeUInt32LE(8, 4)
  block.writeUInt16LE(2, 8)
  writeEntry(block, 10, [0x010f, 2, 6, 44])
  writeEntry(block, 22, [0x0112, 3, 1, orientation])
  block.writeUInt32LE(50, 34)
  block.write('Canon\0', 44, 'latin1')
  return block
}

function writeEntry(block: Buffer, at: number, [tag, type, count, value]: number[]): void {
  block.writeUInt16LE(tag ?? 0, at)
  block.writeUInt16LE(type ?? 0, at + 2)
  block.writeUInt32LE(count ?? 0, at + 4)
  block.writeUInt32LE(value ?? 0, at + 8)
}

const xmp = (orientation: number) =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="${orientation}"/></x:xmpmeta>`

async function iccOf(name: string): Promise<Uint8Array> {
  const file = await sharp(samples, { raw: { width, height, channels: 3 } })
    .withIccProfile(name)
    .png()
    .toBuffer()
  return (await sharp(file).metadata()).icc as Buffer
}

/** Writes the samples unconverted to a file with metadata. */
function photo(icc: Uint8Array | undefined, format: 'png' | 'tiff' = 'png'): Promise<Buffer> {
  const carrier = carrierPng({ channels: 3, depth: 8, icc, exif: exifBlock(6), xmp: Buffer.from(xmp(6)) })
  return sharp(carrier)
    .resize(width, height, { fit: 'fill' })
    .boolean(Buffer.from(samples), 'or', { raw: { width, height, channels: 3 } })
    .keepMetadata()
    .withDensity(300)
    .toFormat(format, { compression: 'lzw' })
    .toBuffer()
}

async function stored(file: Uint8Array): Promise<number[]> {
  return [...(await sharp(file, { ignoreIcc: true }).toColourspace('srgb').raw().toBuffer())]
}

const rotated = await sharp(samples, { raw: { width, height, channels: 3 } })
  .rotate(90)
  .raw()
  .toBuffer()

describe('metadata', () => {
  test.each(['png', 'jpg', 'webp', 'avif', 'tiff'])('is written back to %s, upright', async (format) => {
    const icc = await iccOf('p3')
    const decoded = await decodeImage(await photo(icc))
    const file = await encodeImage({ ...decoded, format })
    const written = await sharp(file).metadata()
    expect([written.width, written.height]).toEqual([height, width])
    expect(written.icc?.equals(icc)).toBe(true)
    expect(written.xmpAsString).toContain('tiff:Orientation="1"')
    expect([1, undefined]).toContain(written.orientation)
    if (format === 'tiff') expect(written.density).toBe(300)
    else expect(written.exif?.toString('latin1')).toContain('Canon')
    const reread = await decodeImage(file)
    expect([reread.image.width, reread.image.height]).toEqual([height, width])
    const differences = reread.image.data.map((value, i) => value - decoded.image.data[i]!)
    expect(Math.abs(differences.reduce((sum, value) => sum + value, 0) / differences.length)).toBeLessThan(
      0.03,
    )
    if (format === 'png' || format === 'tiff')
      expect(Math.max(...differences.map(Math.abs))).toBeLessThan(0.01)
  })

  test('keeps EXIF without a resolution', async () => {
    const metadata = { icc: undefined, xmp: undefined, density: undefined, exif: exifBlock(1) }
    const file = await encodeImage({ ...(await decodeImage(await photo(undefined))), metadata })
    expect((await sharp(file).metadata()).exif?.toString('latin1')).toContain('Canon')
  })

  test('is omitted when the caller omits it', async () => {
    const decoded = await decodeImage(await photo(await iccOf('p3')))
    const written = await sharp(await encodeImage({ ...decoded, metadata: undefined })).metadata()
    expect([written.icc, written.exif, written.xmp, written.density]).toEqual(Array(4).fill(undefined))
  })

  test('survives structuredClone, so it can pass between workers', async () => {
    const decoded = await decodeImage(await photo(await iccOf('p3')))
    const there = await encodeImage(structuredClone(decoded))
    expect(Buffer.from(there)).toEqual(Buffer.from(await encodeImage(decoded)))
  })
})

describe('pixels in another color profile', () => {
  test('become sRGB, and the original samples when written', async () => {
    const file = await photo(await iccOf('p3'))
    const decoded = await decodeImage(file)
    expect(decoded.depth).toBe(8)
    const narrow = await decodeBytes(file)
    expect(narrow.pixels.data).toBeInstanceOf(Uint8Array)
    expect([...narrow.pixels.data]).not.toEqual([...rotated])
    const back = await stored(await encodeImage(decoded))
    const differences = back.map((value, i) => Math.abs(value - rotated[i]!))
    // Colors outside sRGB are clipped, which affects some of these samples.
    expect(differences.filter((difference) => difference > 1).length).toBeLessThan(differences.length / 3)
    expect(differences.filter((difference) => difference === 0).length).toBeGreaterThan(
      differences.length / 2,
    )
  })

  test('within the sRGB gamut round-trip bit for bit', async () => {
    const icc = await iccOf('p3')
    const muted = samples.map((_, i) => 100 + (((i - (i % 3)) * 7) % 60) + (i % 3) * 3)
    const carrier = carrierPng({ channels: 3, depth: 8, icc })
    const file = await sharp(carrier)
      .resize(width, height, { fit: 'fill' })
      .boolean(Buffer.from(muted), 'or', { raw: { width, height, channels: 3 } })
      .keepIccProfile()
      .png()
      .toBuffer()
    expect(await stored(await encodeImage(await decodeImage(file)))).toEqual([...muted])
  })

  test('keep their samples if the profile is equivalent to sRGB', async () => {
    const icc = await iccOf('srgb')
    expect(profileKind(icc)).toBe('srgb')
    const file = await photo(icc)
    expect([...(await decodeBytes(file)).pixels.data]).toEqual([...rotated])
    expect(await stored(await encodeImage(await decodeImage(file)))).toEqual([...rotated])
  })

  test('ignore a broken profile', async () => {
    const icc = new Uint8Array(await iccOf('p3')).fill(0, 36, 40)
    const { metadata, pixels } = await decodeBytes(await photo(icc, 'tiff'))
    expect(metadata?.icc).toBeUndefined()
    expect([...pixels.data].sort()).toEqual([...samples].sort())
  })

  test('in linear gray are converted to sRGB’s curve and back', async () => {
    const icc = grayProfile(1)
    const file = await grayPhoto(icc)
    const decoded = await decodeImage(file)
    // 188 in linear light is 0.7373, or 0.8742 in sRGB.
    expect(decoded.image.data[1]).toBeCloseTo(0.8742, 3)
    const written = await encodeImage(decoded)
    expect((await sharp(written).metadata()).icc?.equals(icc)).toBe(true)
    const kept = sharp(written, { ignoreIcc: true }).toColourspace('b-w')
    expect([...(await kept.raw().toBuffer())]).toEqual([0, 188, 255])
    const webp = await encodeImage({ ...decoded, format: 'webp' })
    expect((await sharp(webp).metadata()).icc).toBeUndefined()
    expect((await decodeImage(webp)).image.data[1]).toBeCloseTo(0.8742, 1)
  })
})

function grayPhoto(icc: Uint8Array): Promise<Buffer> {
  return sharp(carrierPng({ channels: 1, depth: 8, icc }))
    .resize(3, 1, { fit: 'fill' })
    .toColourspace('b-w')
    .boolean(Buffer.of(0, 188, 255), 'or', { raw: { width: 3, height: 1, channels: 1 } })
    .keepIccProfile()
    .png()
    .toBuffer()
}

/** The smallest gray profile: a white point and a power curve. */
function grayProfile(gamma: number): Buffer {
  const icc = Buffer.alloc(192)
  icc.writeUInt32BE(icc.length, 0)
  icc.writeUInt32BE(0x02100000, 8)
  icc.write('mntrGRAYXYZ ', 12, 'latin1')
  icc.write('acsp', 36, 'latin1')
  writeFixed(icc, 68, [0.9642, 1, 0.8249])
  icc.writeUInt32BE(2, 128)
  icc.write('kTRC', 132, 'latin1')
  icc.writeUInt32BE(156, 136)
  icc.writeUInt32BE(14, 140)
  icc.write('wtpt', 144, 'latin1')
  icc.writeUInt32BE(172, 148)
  icc.writeUInt32BE(20, 152)
  icc.write('curv', 156, 'latin1')
  icc.writeUInt32BE(1, 164)
  icc.writeUInt16BE(gamma * 256, 168)
  icc.write('XYZ ', 172, 'latin1')
  writeFixed(icc, 180, [0.9642, 1, 0.8249])
  return icc
}

function writeFixed(block: Buffer, at: number, values: readonly number[]): void {
  for (const [i, value] of values.entries()) block.writeInt32BE(Math.round(value * 65536), at + i * 4)
}

describe('EXIF', () => {
  test('is set upright and loses its thumbnail, in both byte orders', () => {
    const little = uprightExif(Buffer.concat([Buffer.from('Exif\0\0'), exifBlock(6)])) as Uint8Array
    const view = new DataView(little.buffer)
    expect([view.getUint16(30, true), view.getUint32(34, true)]).toEqual([1, 0])
    const big = Buffer.alloc(26)
    big.write('MM\0*', 'latin1')
    big.writeUInt32BE(8, 4)
    big.writeUInt16BE(1, 8)
    big.writeUInt16BE(0x0112, 10)
    big.writeUInt16BE(8, 18)
    expect(Buffer.from(uprightExif(big) ?? []).readUInt16BE(18)).toBe(1)
  })

  test.each([
    ['empty', Buffer.alloc(0)],
    ['text', Buffer.from('no exif in here at all')],
    [
      'a directory beyond the end',
      Buffer.concat([Buffer.from('II*\0\xff\xff\xff\x7f', 'latin1'), Buffer.alloc(9)]),
    ],
    [
      'more entries than bytes',
      Buffer.concat([Buffer.from('II*\0\x08\0\0\0\xff\xff', 'latin1'), Buffer.alloc(9)]),
    ],
  ])('that is malformed (%s) is dropped', (_, block) => {
    expect(uprightExif(block)).toBeUndefined()
  })
})
