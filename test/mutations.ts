// Image files with flipped bits, cut ends, false headers, and small ones that expand to large pictures.

import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import type { Random } from '../src/core/random.ts'

/** One small file of every supported format. */
export async function samples(random: Random): Promise<readonly Buffer[]> {
  const width = 40
  const height = 28
  const raw = (channels: 1 | 3 | 4) => {
    const values = Uint8Array.from({ length: width * height * channels }, () => random.integer(256))
    return sharp(values, { raw: { width, height, channels } })
  }
  const photo = raw(3).withExif({ IFD0: { Orientation: '6', Make: 'Canon' } })
  const pnm = [Buffer.from(`P6 ${width} ${height} 255\n`), await raw(3).raw().toBuffer()]
  return Promise.all(
    [
      raw(3).png(),
      raw(4).png(),
      raw(1).png(),
      raw(3).png({ palette: true }),
      raw(3).toColourspace('rgb16').png(),
      photo.clone().withIccProfile('p3').jpeg(),
      photo.clone().jpeg({ progressive: true }),
      raw(1).jpeg(),
      raw(3).webp(),
      raw(4).webp({ lossless: true }),
      raw(3).tiff({ compression: 'lzw' }),
      raw(3).avif(),
      raw(3).toColourspace('rgb16').tiff({ tile: true, tileWidth: 16, tileHeight: 16 }),
      raw(3).gif(),
    ].map((pipeline) => pipeline.toBuffer()),
  ).then((files) => [...files, Buffer.concat(pnm), bitmap(width, height)])
}

function bitmap(width: number, height: number): Buffer {
  const file = Buffer.alloc(54 + width * height * 3, 77)
  file.write('BM')
  for (const [at, value] of [
    [2, file.length],
    [6, 0],
    [10, 54],
    [14, 40],
    [18, width],
    [22, height],
  ] as const)
    file.writeUInt32LE(value, at)
  file.writeUInt32LE(0x180001, 26)
  file.fill(0, 30, 54)
  return file
}

function pngChunk(type: string, body: Uint8Array): Buffer {
  const framed = Buffer.concat([Buffer.alloc(4), Buffer.from(type), body, Buffer.alloc(4)])
  framed.writeUInt32BE(body.length)
  framed.writeUInt32BE(crc32(framed.subarray(4, -4)), framed.length - 4)
  return framed
}

/** Small files that expand to large images, or claim to. */
function bomb(random: Random): Buffer {
  const width = 1 << (8 + random.integer(9))
  const height = 1 << (8 + random.integer(9))
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  header.set([8, random.integer(2) * 2, 0, 0, 0], 8)
  const whole = (1 + width * (header[9] === 2 ? 3 : 1)) * height
  const zeros = new Uint8Array(
    whole < 1e8 && random.integer(2) === 0 ? whole : 2 ** (10 + random.integer(16)),
  )
  const profile = [Buffer.from('icc\0\0'), deflateSync(zeros)]
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    ...(random.integer(2) === 0 ? [pngChunk('iCCP', Buffer.concat(profile))] : []),
    pngChunk('IDAT', deflateSync(zeros)),
    pngChunk('IEND', new Uint8Array()),
  ])
}

/** Ways to damage a file; `other` is another one. */
export const mutations: Readonly<Record<string, (file: Buffer, random: Random, other: Buffer) => Buffer>> = {
  bits: (file, random) => {
    const changed = Buffer.from(file)
    for (let i = random.integer(20); i >= 0; i--) {
      const at = random.integer(file.length)
      changed[at] = changed[at]! ^ (1 << random.integer(8))
    }
    return changed
  },
  truncation: (file, random) => file.subarray(0, random.integer(file.length)),
  header: (file, random) => {
    const changed = Buffer.from(file)
    const falseValues = [0, 1, 0x7fffffff, 0xffffffff, 0x10000, 0xffff, random.integer(2 ** 32)]
    const at = random.integer(Math.min(file.length - 4, 200))
    const value = falseValues[random.integer(falseValues.length)]!
    if (random.integer(2) === 0) changed.writeUInt32BE(value, at)
    else changed.writeUInt32LE(value, at)
    // A matching checksum lets the false header through.
    if (file.toString('latin1', 12, 16) === 'IHDR') changed.writeUInt32BE(crc32(changed.subarray(12, 29)), 29)
    return changed
  },
  splice: (file, random, other) => {
    const at = random.integer(file.length)
    return Buffer.concat([file.subarray(0, at), other.subarray(random.integer(other.length))])
  },
  repeat: (file, random) => {
    const from = random.integer(file.length)
    const length = random.integer(file.length)
    return Buffer.concat([file.subarray(0, from + length), file.subarray(from)])
  },
  bomb: (_, random) => bomb(random),
}

/** Damaged files of all formats, one after another by each way. */
export async function* mutatedFiles(
  count: number,
  random: Random,
): AsyncGenerator<{ readonly kind: string; readonly bytes: Buffer }> {
  const files = await samples(random)
  const kinds = Object.entries(mutations)
  for (let i = 0; i < count; i++) {
    const [kind, mutate] = kinds[i % kinds.length]!
    const [file, other] = [files[random.integer(files.length)]!, files[random.integer(files.length)]!]
    yield { kind, bytes: mutate(file, random, other) }
  }
}
