import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { tiffOf } from '../../../test/tiffs.ts'
import { carrierPng } from '../carrierPng.ts'
import { readProfile } from '../colors/iccProfile.ts'
import { decodeBytes, decodeImage } from '../decode.ts'
import { encodeImage, encodingNotes } from '../encode.ts'
import { bytesSource } from '../formats/byteSource.ts'
import type { Resolution } from '../formats/resolution.ts'
import { TiffReader } from '../formats/tiff.ts'
import { embedMetadata } from './embed.ts'
import { uprightExif } from './exif.ts'
import type { ImageMetadata } from './imageMetadata.ts'
import { withoutLocation } from './location.ts'
import { cleanXmp } from './xmp.ts'

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

const packet = (properties: string) =>
  Buffer.from(
    `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" ${properties}/></rdf:RDF></x:xmpmeta>`,
  )

async function iccOf(name: string): Promise<Uint8Array> {
  const file = await sharp(samples, { raw: { width, height, channels: 3 } })
    .withIccProfile(name)
    .png()
    .toBuffer()
  return (await sharp(file).metadata()).icc as Buffer
}

/** Writes the samples unconverted to a file, in portrait by its orientation. */
async function photo(icc: Uint8Array | undefined, format: 'png' | 'tiff' = 'png'): Promise<Uint8Array> {
  const file = await sharp(carrierPng({ channels: 3, depth: 8, icc }))
    .resize(width, height, { fit: 'fill' })
    .boolean(Buffer.from(samples), 'or', { raw: { width, height, channels: 3 } })
    .keepIccProfile()
    .toFormat(format, { compression: 'lzw' })
    .toBuffer()
  const metadata = { exif: exifBlock(6), xmp: packet('tiff:Orientation="6"') }
  return embedMetadata(file, format, { metadata, width, height })
}

async function stored(file: Uint8Array): Promise<number[]> {
  return [...(await sharp(file, { ignoreIcc: true }).toColourspace('srgb').raw().toBuffer())]
}

const rotated = await sharp(samples, { raw: { width, height, channels: 3 } })
  .rotate(90)
  .raw()
  .toBuffer()

const image = { width: 8, height: 6, channels: 3, data: new Float32Array(144).fill(0.5) }
const plain = { image, alpha: undefined, depth: 8 } as const
const records = Buffer.from([
  0x1c,
  2,
  120,
  0,
  4,
  ...Buffer.from('Dawn'),
  0x1c,
  2,
  90,
  0,
  4,
  ...Buffer.from('Oslo'),
])
const blocks = {
  exif: exifBlock(1).fill(0, 34, 38),
  xmp: packet('tiff:Make="Acme"'),
  iptc: records,
  texts: [
    { keyword: 'Comment', text: 'Harbor' },
    { keyword: 'parameters', text: 'a castle, Größe 2, 城' },
    { keyword: 'Title', text: 'Château', language: 'fr', translation: 'Titre' },
  ],
  resolution: { x: 204, y: 98 },
} satisfies ImageMetadata

describe('metadata in', () => {
  test.each<[string, readonly (keyof typeof blocks)[], readonly string[]]>([
    ['png', ['exif', 'xmp', 'iptc', 'texts', 'resolution'], []],
    [
      'jpg',
      ['exif', 'xmp', 'iptc', 'resolution'],
      ['left out texts (parameters, Title), which JPEG does not hold'],
    ],
    [
      'tiff',
      ['xmp', 'iptc', 'resolution'],
      ['left out texts (Comment, parameters, Title), which TIFF does not hold'],
    ],
    [
      'webp',
      ['exif', 'xmp'],
      ['left out IPTC, which WebP does not hold', expect.stringContaining('left out texts')],
    ],
    [
      'avif',
      ['exif', 'xmp'],
      ['left out IPTC, which AVIF does not hold', expect.stringContaining('left out texts')],
    ],
  ])('%s is that of the image, as far as the format holds it', async (format, held, notes) => {
    const decoded = { ...plain, format, metadata: blocks }
    const file = await encodeImage(decoded)
    expect(encodingNotes(format, decoded)).toEqual(notes)
    const { metadata, image: reread } = await decodeImage(file)
    expect([reread.width, reread.height]).toEqual([8, 6])
    for (const name of held) {
      const [written, wanted] = [metadata?.[name], blocks[name]]
      if (!(wanted instanceof Uint8Array)) expect(roundedOf(written)).toEqual(roundedOf(wanted))
      else expect(Buffer.from(written as Uint8Array)).toEqual(Buffer.from(wanted))
    }
    expect(Buffer.from(metadata?.exif ?? []).toString('latin1')).toContain('Canon')
    // libvips finds the same.
    const seen = await sharp(file).metadata()
    if (format !== 'tiff') expect(seen.exif?.toString('latin1')).toContain('Canon')
    expect(seen.xmp?.equals(blocks.xmp)).toBe(true)
    if (format === 'jpg') expect(metadata?.texts).toEqual([blocks.texts[0]])
  })

  test.each(['png', 'jpg', 'tiff', 'webp', 'avif'])(
    '%s is empty where the image has none',
    async (format) => {
      const file = await encodeImage({ ...plain, format })
      const { metadata } = await decodeImage(file)
      expect(Object.values(metadata ?? {}).filter((block) => block !== undefined)).toEqual([])
      expect(Buffer.from(file).toString('latin1')).not.toMatch(/Exif|eXIf|pHYs|http:/)
    },
  )

  test.each(['png', 'jpg', 'webp', 'avif', 'tiff'])('%s is upright, with the profile', async (format) => {
    const icc = await iccOf('p3')
    const decoded = await decodeImage(await photo(icc))
    const file = await encodeImage({ ...decoded, format })
    const written = await sharp(file).metadata()
    expect([written.width, written.height]).toEqual([height, width])
    expect(written.icc?.equals(icc)).toBe(true)
    expect(written.xmpAsString).toContain('tiff:Orientation="1"')
    expect([1, undefined]).toContain(written.orientation)
    const reread = await decodeImage(file)
    expect([reread.image.width, reread.image.height]).toEqual([height, width])
    const differences = reread.image.data.map((value, i) => value - decoded.image.data[i]!)
    expect(Math.abs(differences.reduce((sum, value) => sum + value, 0) / differences.length)).toBeLessThan(
      0.03,
    )
    if (format === 'png' || format === 'tiff')
      expect(Math.max(...differences.map(Math.abs))).toBeLessThan(0.01)
  })

  test('big-endian EXIF moves to little-endian TIFF, and back', async () => {
    const exif = bigEndianExif()
    const file = await encodeImage({ ...plain, format: 'tiff', metadata: { exif } })
    const { metadata } = await decodeImage(file)
    const again = await decodeImage(await encodeImage({ ...plain, format: 'jpg', metadata: metadata! }))
    for (const block of [metadata?.exif, again.metadata?.exif]) {
      const text = Buffer.from(block ?? []).toString('latin1')
      expect(text).toContain('Jane Doe\0')
      expect(Buffer.from(block ?? []).readUInt32LE(text.indexOf('Jane Doe') - 4)).toBe(0)
    }
  })

  test.each<[Resolution, readonly string[]]>([
    [{ x: 2, y: 1, unit: 'none' }, ['png', 'jpg', 'tiff']],
    [{ x: 120, y: 60, unit: 'cm' }, ['jpg', 'tiff']],
    [{ x: 299.99, y: 72.5 }, ['tiff']],
  ])('%o stays in its unit', async (resolution, formats) => {
    for (const format of formats) {
      const { metadata } = await decodeImage(
        await encodeImage({ ...plain, format, metadata: { resolution } }),
      )
      expect([format, metadata?.resolution]).toEqual([format, resolution])
    }
  })

  test('the resolution in EXIF is that of a TIFF, which holds no other', async () => {
    const exif = resolutionExif(240)
    const written = await encodeImage({ ...plain, format: 'tiff', metadata: { exif } })
    expect((await decodeImage(written)).metadata?.resolution).toEqual({ x: 240, y: 240 })
    const png = await encodeImage({ ...plain, format: 'png', metadata: { exif } })
    expect((await decodeImage(png)).metadata?.resolution).toBeUndefined()
  })

  test('resized pictures states their size, where it states one', async () => {
    const xmp = packet(
      'xmlns:exif="http://ns.adobe.com/exif/1.0/" tiff:ImageWidth="4" exif:PixelYDimension="3"',
    )
    const file = await encodeImage({ ...plain, format: 'jpg', metadata: { xmp, exif: sizedExif(4, 3) } })
    const { metadata } = await decodeImage(file)
    expect(Buffer.from(metadata?.xmp ?? []).toString()).toContain(
      'tiff:ImageWidth="8" exif:PixelYDimension="6"',
    )
    expect(Buffer.from(metadata?.exif ?? [])).toEqual(sizedExif(8, 6))
  })

  test('enlarged panoramas state where their pixels are', async () => {
    const stated = [
      ...['CroppedAreaImageWidthPixels="4"', 'CroppedAreaImageHeightPixels="3"'],
      ...['CroppedAreaLeftPixels="1"', 'FullPanoWidthPixels="9"', 'FullPanoHeightPixels="3"'],
    ]
    const xmp = packet(
      `xmlns:G="http://ns.google.com/photos/1.0/panorama/" ${stated.map((one) => `G:${one}`).join(' ')}`,
    )
    for (const one of [xmp, Buffer.from(`\ufeff${xmp}`, 'utf16le')]) {
      const file = await encodeImage({ ...plain, format: 'jpg', metadata: { xmp: one } })
      const kept = Buffer.from((await decodeImage(file)).metadata?.xmp ?? []).toString()
      for (const value of [
        'WidthPixels="8"',
        'HeightPixels="6"',
        'LeftPixels="2"',
        'FullPanoWidthPixels="18"',
      ])
        expect(kept).toContain(value)
    }
  })

  test('in a JPEG has all comments, in UTF-8 or Latin-1', async () => {
    const file = Buffer.from(await encodeImage({ ...plain, format: 'jpg' }))
    const comment = (text: Buffer) => Buffer.concat([Buffer.from([0xff, 0xfe, 0, text.length + 2]), text])
    const comments = [comment(Buffer.from('Größe')), comment(Buffer.from('Ärger', 'latin1'))]
    const decoded = await decodeImage(Buffer.concat([file.subarray(0, 2), ...comments, file.subarray(2)]))
    const again = await decodeImage(await encodeImage({ ...decoded, format: 'jpg' }))
    for (const { metadata } of [decoded, again])
      expect(metadata?.texts?.map(({ text }) => text)).toEqual(['Größe', 'Ärger'])
  })

  test('survives structuredClone, so it can pass between workers', async () => {
    const decoded = await decodeImage(await photo(await iccOf('p3')))
    const there = await encodeImage(structuredClone(decoded))
    expect(Buffer.from(there)).toEqual(Buffer.from(await encodeImage(decoded)))
  })
})

/** PNG counts pixels per meter, and JPEG whole pixels. */
function roundedOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('x' in value && 'y' in value)) return value
  return [value.x, value.y].map((one) => Math.round(Number(one)))
}

/** An author in big-endian EXIF. */
function bigEndianExif(): Buffer {
  const block = Buffer.alloc(36)
  block.write('MM\0*', 'latin1')
  block.writeUInt32BE(8, 4)
  block.writeUInt16BE(1, 8)
  block.writeUInt16BE(0x013b, 10)
  block.writeUInt16BE(2, 12)
  block.writeUInt32BE(9, 14)
  block.writeUInt32BE(26, 18)
  block.write('Jane Doe', 26, 'latin1')
  return block
}

function resolutionExif(perInch: number): Buffer {
  const block = Buffer.alloc(46)
  block.write('II*\0', 'latin1')
  block.writeUInt32LE(8, 4)
  block.writeUInt16LE(2, 8)
  writeEntry(block, 10, [0x011a, 5, 1, 38])
  writeEntry(block, 22, [0x011b, 5, 1, 38])
  block.writeUInt32LE(perInch, 38)
  block.writeUInt32LE(1, 42)
  return block
}

/** A directory that points to another, which states the size. */
function sizedExif(pixelWidth: number, pixelHeight: number): Buffer {
  const block = Buffer.alloc(56)
  block.write('II*\0', 'latin1')
  block.writeUInt32LE(8, 4)
  block.writeUInt16LE(1, 8)
  writeEntry(block, 10, [0x8769, 4, 1, 26])
  block.writeUInt16LE(2, 26)
  writeEntry(block, 28, [0xa002, 3, 1, pixelWidth])
  writeEntry(block, 40, [0xa003, 3, 1, pixelHeight])
  return block
}

describe('what describes other parts of a phone’s file', () => {
  const google = 'http://ns.google.com/photos/1.0'
  test.each([
    ['a gain map', 'xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/" h:Version="1.0"', 'the gain map'],
    ['an older gain map', 'xmlns:h="http://ns.apple.com/HDRGainMap/1.0/" h:Version="1"', 'the gain map'],
    ['a motion photo', `xmlns:c="${google}/camera/" c:MotionPhoto="1" c:MicroVideoOffset="9"`, 'the video'],
    ['a depth map', `xmlns:d="${google}/depthmap/" d:Format="RangeInverse"`, 'the depth map'],
    ['long XMP', 'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="0"', 'XMP beyond 64 KB'],
  ])('leaves XMP with a note: %s', async (_, properties, note) => {
    const xmp = packet(`tiff:Make="Acme" ${properties}`)
    const { metadata, notes } = await decodeImage(
      await encodeImage({ ...plain, format: 'jpg', metadata: { xmp } }),
    )
    const kept = Buffer.from(metadata?.xmp ?? []).toString()
    expect(kept).toContain('tiff:Make="Acme"')
    expect(kept).not.toMatch(/ [hcdn]:/)
    expect(notes).toEqual([expect.stringContaining(note)])
  })

  test.each([
    ['the other view of a stereo photo', 0x020002, '', 'another picture of the file'],
    ['a preview', 0x010001, '', undefined],
    ['a gain map of ISO 21496', 0, 'urn:iso:std:iso:ts:21496:-1', 'the gain map'],
  ])('behind a JPEG is noted: %s', async (_, kind, mark, note) => {
    const index = Buffer.alloc(58)
    index.write('II*\0', 'latin1')
    index.writeUInt32LE(8, 4)
    index.writeUInt16LE(1, 8)
    writeEntry(index, 10, [0xb002, 7, 32, 26])
    index.writeUInt32LE(0x030000, 26)
    index.writeUInt32LE(kind, 42)
    const file = Buffer.from(await encodeImage({ ...plain, format: 'jpg' }))
    const segment = Buffer.concat([Buffer.from([0xff, 0xe2, 0, 64]), Buffer.from('MPF\0'), index])
    const { notes } = await decodeImage(
      Buffer.concat([file.subarray(0, 2), segment, file.subarray(2), Buffer.from(mark)]),
    )
    expect(notes).toEqual(note ? [expect.stringContaining(note)] : [])
  })

  test('as elements too, with lists of its parts', async () => {
    const nested = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:C="${google}/container/" xmlns:G="${google}/camera/"><G:MotionPhoto>1</G:MotionPhoto><C:Directory><rdf:Seq/></C:Directory><G:Portrait>1</G:Portrait></rdf:Description></rdf:RDF></x:xmpmeta>`
    const { xmp, notes } = await cleanXmp(Buffer.from(nested))
    expect(Buffer.from(xmp ?? []).toString()).toMatch(
      /<rdf:Description [^>]*><G:Portrait>1<\/G:Portrait><\/rdf/,
    )
    expect(notes).toEqual(['left out the video of a motion photo'])
  })

  test.each([
    ['no XML', 'tiff:Orientation <'],
    ['entities', '<!DOCTYPE a [<!ENTITY b "c">]><a xmlns:t="t" t:Orientation="&b;"/>'],
    ['deep nesting', `${'<a>'.repeat(1e5)}tiff:Orientation${'</a>'.repeat(1e5)}`],
    [
      'many attributes',
      `<a tiff:Orientation="1" ${Array.from({ length: 1e5 }, (_, i) => `a${i}=""`).join(' ')}/>`,
    ],
  ])('XMP with %s is left out with a note', async (_, text) => {
    expect(await cleanXmp(Buffer.from(text))).toEqual({
      xmp: undefined,
      notes: ['left out XMP, which is damaged'],
    })
  })
})

describe('the place', () => {
  const iptcCore = 'http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/'
  const texts = [
    { keyword: 'GPSPosition', text: '59 N' },
    { keyword: 'Comment', text: 'Harbor' },
  ]
  test('leaves EXIF, XMP, IPTC and texts, and nothing else does', async () => {
    const xmp = packet(
      `tiff:Make="Acme" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="59" xmlns:p="http://ns.adobe.com/photoshop/1.0/" p:City="Oslo" p:Credit="Jane" xmlns:i="${iptcCore}" i:Location="Harbor"`,
    )
    const exif = locatedExif()
    const kept = await withoutLocation({ exif, xmp, iptc: records, texts, resolution: { x: 9, y: 9 } })
    expect(Buffer.from(kept.xmp ?? []).toString()).not.toMatch(/59|Oslo|Harbor/)
    expect(Buffer.from(kept.xmp ?? []).toString()).toMatch(/tiff:Make="Acme".*p:Credit="Jane"/)
    expect(Buffer.from(kept.iptc ?? []).toString('latin1')).toBe('\x1c\x02x\0\x04Dawn')
    expect([kept.texts, kept.resolution]).toEqual([[texts[1]], { x: 9, y: 9 }])
    const block = Buffer.from(kept.exif ?? [])
    expect(exif.includes(Buffer.from([59, 0, 0, 0]))).toBe(true)
    expect(block.includes(Buffer.from([59, 0, 0, 0]))).toBe(false)
    expect([block.readUInt16LE(8), block.readUInt16LE(10), block.toString('latin1')]).toEqual([
      1,
      0x010f,
      expect.stringContaining('Canon'),
    ])
  })

  /** A maker, and a latitude of 59 degrees in a directory of its own. */
  function locatedExif(): Buffer {
    const block = Buffer.alloc(92)
    block.write('II*\0', 'latin1')
    block.writeUInt32LE(8, 4)
    block.writeUInt16LE(2, 8)
    writeEntry(block, 10, [0x010f, 2, 6, 84])
    writeEntry(block, 22, [0x8825, 4, 1, 38])
    block.writeUInt16LE(1, 38)
    writeEntry(block, 40, [2, 5, 3, 56])
    for (const [i, value] of [59, 1, 54, 1, 3, 1].entries()) block.writeUInt32LE(value, 56 + i * 4)
    block.write('Canon\0', 84, 'latin1')
    return block
  }
})

describe('pixels in another color profile', () => {
  test('keep their samples, and become sRGB on request', async () => {
    const file = await photo(await iccOf('p3'))
    const decoded = await decodeBytes(file)
    expect([...decoded.pixels.data]).toEqual([...rotated])
    expect(await stored(await encodeImage(await decodeImage(file)))).toEqual([...rotated])
    const { pixels, metadata } = await decodeBytes(file, { colors: 'srgb' })
    expect(metadata?.icc).toBeUndefined()
    expect(pixels.data).toBeInstanceOf(Uint8Array)
    const byLibvips = [...(await sharp(file).autoOrient().toColourspace('srgb').raw().toBuffer())]
    const differences = byLibvips.map((value, i) => Math.abs(value - pixels.data[i]!))
    expect(Math.max(...differences)).toBeLessThanOrEqual(1)
  })

  test('keep their samples if the profile is equivalent to sRGB', async () => {
    const icc = await iccOf('srgb')
    expect(readProfile(icc)).toMatchObject({ kind: 'srgb' })
    const file = await photo(icc)
    expect([...(await decodeBytes(file)).pixels.data]).toEqual([...rotated])
    expect(await stored(await encodeImage(await decodeImage(file)))).toEqual([...rotated])
  })

  test('in linear gray are converted to sRGB’s curve where no profile is written', async () => {
    const icc = grayProfile(1)
    const file = await grayPhoto(icc)
    // 188 in linear light is 0.7373, or 0.8742 in sRGB.
    expect((await decodeImage(file, { colors: 'srgb' })).image.data[1]).toBeCloseTo(0.8742, 3)
    const decoded = await decodeImage(file)
    expect(decoded.image.data[1]).toBeCloseTo(0.7373, 3)
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
  test('is set upright and loses its thumbnail, in both byte orders and types of number', () => {
    const little = uprightExif(Buffer.concat([Buffer.from('Exif\0\0'), exifBlock(6)])) as Uint8Array
    const view = new DataView(little.buffer)
    expect([view.getUint16(30, true), view.getUint32(34, true)]).toEqual([1, 0])
    for (const type of [3, 4]) {
      const big = Buffer.alloc(26)
      big.write('MM\0*', 'latin1')
      big.writeUInt32BE(8, 4)
      big.writeUInt16BE(1, 8)
      big.writeUInt16BE(0x0112, 10)
      big.writeUInt16BE(type, 12)
      big.writeUInt32BE(1, 14)
      type === 3 ? big.writeUInt16BE(8, 18) : big.writeUInt32BE(8, 18)
      expect(
        Buffer.from(uprightExif(big) ?? [])
          .subarray(10, 22)
          .toString('hex'),
      ).toBe('011200030000000100010000')
    }
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

test('a TIFF keeps what it states of its colors without a profile', async () => {
  const entries = [[301, 3, 9] as const, [318, 4, 7] as const, [319, 4, 8] as const]
  const file = await encodeImage(await decodeImage(tiffOf([{ width: 4, height: 3, gray: 9, entries }])))
  const tiff = TiffReader.open(bytesSource(file))!
  expect(entries.map(([tag]) => tiff.number(tiff.directory(tiff.first), tag))).toEqual([9, 7, 8])
})

describe('regions and the place of the subject', () => {
  // A rectangle of 8 × 6 at (4, 2) in a picture of 40 × 20.
  const [across, down] = [40, 20]
  const box = { left: 4, top: 2, width: 8, height: 6 }
  const white = Array.from({ length: across * down }, (_, i) => {
    const [x, y] = [(i % across) - box.left, Math.floor(i / across) - box.top]
    return x >= 0 && x < box.width && y >= 0 && y < box.height ? 255 : 0
  })
  const area =
    'xmlns:r="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:a="http://ns.adobe.com/xmp/sType/Area#" xmlns:d="http://ns.adobe.com/xap/1.0/sType/Dimensions#"'
  const others =
    'xmlns:m="http://ns.microsoft.com/photo/1.2/t/Region#" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
  const regions = (boundary: string) =>
    Buffer.from(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description ${area} ${others}><r:Regions><rdf:Description><r:AppliedToDimensions d:w="40" d:h="20" d:unit="pixel"/>
<r:Area a:x="0.2" a:y="0.25" a:w="0.2" a:h="0.3"/></rdf:Description></r:Regions>
<m:Rectangle>0.1, 0.1, 0.2, 0.3</m:Rectangle>
<i:ImageRegion><i:RegionBoundary>${boundary}</i:RegionBoundary></i:ImageRegion></rdf:Description></rdf:RDF></x:xmpmeta>`)
  const relative =
    '<i:rbUnit>relative</i:rbUnit><i:rbX>0.1</i:rbX><i:rbY>0.1</i:rbY><i:rbW>0.2</i:rbW><i:rbH>0.3</i:rbH>'

  /** Resolutions of 300 and 150 per inch, a size, and the rectangle by its center. */
  function subjectExif(orientation: number): Buffer {
    const block = Buffer.alloc(144)
    block.write('II*\0', 'latin1')
    block.writeUInt32LE(8, 4)
    block.writeUInt16LE(4, 8)
    writeEntry(block, 10, [0x0112, 3, 1, orientation])
    writeEntry(block, 22, [0x011a, 5, 1, 120])
    writeEntry(block, 34, [0x011b, 5, 1, 128])
    writeEntry(block, 46, [0x8769, 4, 1, 62])
    block.writeUInt16LE(4, 62)
    writeEntry(block, 64, [0x9214, 3, 4, 136])
    writeEntry(block, 76, [0xa002, 3, 1, across])
    writeEntry(block, 88, [0xa003, 3, 1, down])
    writeEntry(block, 100, [0xa214, 3, 2, (5 << 16) + 8])
    for (const [i, value] of [300, 1, 150, 1].entries()) block.writeUInt32LE(value, 120 + 4 * i)
    for (const [i, value] of [8, 5, 8, 6].entries()) block.writeUInt16LE(value, 136 + 2 * i)
    return block
  }

  /** A directory of the block's details, and resolutions. */
  function statedBy(exif: Uint8Array | undefined) {
    const view = Buffer.from(exif ?? [])
    const shorts = (at: number, count: number) =>
      Array.from({ length: count }, (_, i) => view.readUInt16LE(at + 2 * i))
    const size = [shorts(84, 1), shorts(96, 1)].flat()
    return {
      subject: shorts(136, 4),
      point: shorts(108, 2),
      size,
      x: view.readUInt32LE(view.readUInt32LE(30)),
    }
  }

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'are turned with a picture of orientation %i, and scaled',
    async (turned) => {
      const plainFile = await sharp(Uint8Array.from(white), {
        raw: { width: across, height: down, channels: 1 },
      })
        .png()
        .toBuffer()
      const metadata = { exif: subjectExif(turned), xmp: regions(relative), resolution: { x: 300, y: 150 } }
      const file = await embedMetadata(plainFile, 'png', { metadata, width: across, height: down })
      const { image, metadata: kept, notes } = await decodeImage(file)
      const [columns, rows] = [new Set<number>(), new Set<number>()]
      for (const [i, value] of image.data.subarray(0, across * down).entries())
        if (value === 1) columns.add(i % image.width) && rows.add(Math.floor(i / image.width))
      const [left, top] = [Math.min(...columns), Math.min(...rows)]
      const [x, y] = [left + columns.size / 2, top + rows.size / 2]
      expect(notes).toEqual([])
      const subject = [x, y, columns.size, rows.size]
      const isTurned = turned >= 5
      const resolution = isTurned ? { x: 150, y: 300 } : { x: 300, y: 150 }
      expect(statedBy(kept?.exif)).toEqual({
        subject,
        point: [x, y],
        size: [image.width, image.height],
        x: resolution.x,
      })
      expect(roundedOf(kept?.resolution)).toEqual(roundedOf(resolution))
      const text = Buffer.from(kept?.xmp ?? []).toString()
      const share = (value: number, side: number) => Number((value / side).toFixed(6))
      const [u, v] = [share(left, image.width), share(top, image.height)]
      const [w, h] = [share(columns.size, image.width), share(rows.size, image.height)]
      expect(text).toContain(
        `a:x="${share(x, image.width)}" a:y="${share(y, image.height)}" a:w="${w}" a:h="${h}"`,
      )
      expect(text).toContain(`>${u}, ${v}, ${w}, ${h}<`)
      expect(text).toContain(`<i:rbX>${u}</i:rbX><i:rbY>${v}</i:rbY><i:rbW>${w}</i:rbW><i:rbH>${h}</i:rbH>`)
      const size = { width: 2 * image.width, height: 2 * image.height }
      const large = { ...size, channels: 1, data: new Float32Array(size.width * size.height) }
      const twice = await decodeImage(
        await encodeImage({ ...plain, image: large, format: 'png', metadata: kept! }),
      )
      expect(statedBy(twice.metadata?.exif).subject).toEqual(subject.map((value) => 2 * value))
      const larger = Buffer.from(twice.metadata?.xmp ?? []).toString()
      expect(larger).toContain(`d:w="${size.width}" d:h="${size.height}"`)
    },
  )

  test('in pixels or of circles are left out with a note, if the picture is turned', async () => {
    for (const boundary of [
      relative.replace('relative', 'pixel'),
      `<i:rbShape>circle</i:rbShape>${relative}`,
    ]) {
      expect((await cleanXmp(regions(boundary), 1)).notes).toEqual([])
      const { xmp, notes } = await cleanXmp(regions(boundary), 3)
      expect(Buffer.from(xmp ?? []).toString()).not.toContain('ImageRegion')
      expect(notes).toEqual(['left out image regions in pixels or of circles, since the picture was turned'])
    }
  })
})
