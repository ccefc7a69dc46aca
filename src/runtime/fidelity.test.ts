// What restoring must leave as it was, seen with a network that adds the same everywhere: a twentieth, or nothing.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeSafetensors } from '../checkpoints/files.ts'
import { float32Data } from '../core/data.ts'
import { Light, lightDefaults } from '../models/light/light.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { createRestorer, type Restorer } from './restorer.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-fidelity-'))
const at = (name: string) => join(dir, name)
const [width, height] = [21, 13]
let same: Restorer
let lighter: Restorer

/** A light network whose last layer gives a constant, to be added to the picture. */
function writeShift(path: string, shift: number): void {
  const blocks = [1, 1] as const
  const options = {
    ...lightDefaults,
    width: 4,
    encoderBlocks: blocks,
    middleBlocks: 1,
    decoderBlocks: blocks,
  }
  const tensors = new Map(
    [...stateDict(new Light(randomInit(Math.random), options))].map(([key, tensor]) => {
      const { shape, bytes } = tensor.read()
      const value = key === 'ending.bias' ? shift : 0
      const values = new Float32Array(bytes.length / 4).fill(value)
      return [key, key.startsWith('ending') ? float32Data(values, shape) : tensor.read()] as const
    }),
  )
  writeSafetensors(path, tensors)
}

beforeAll(async () => {
  writeShift(at('same.safetensors'), 0)
  writeShift(at('lighter.safetensors'), 0.05)
  const open = (name: string) => createRestorer({ weights: at(name), device: 'cpu', threads: 1 })
  ;[same, lighter] = await Promise.all([open('same.safetensors'), open('lighter.safetensors')])
})
afterAll(async () => {
  await Promise.all([same, lighter].map((restorer) => restorer.close()))
  rmSync(dir, { recursive: true, force: true })
})

function values(channels: number, most = 255, least = 0): number[] {
  return Array.from(
    { length: width * height * channels },
    (_, i) => least + ((i * 7919) % (most + 1 - least)),
  )
}

function eight(channels: 1 | 2 | 3 | 4): Sharp {
  return sharp(Uint8Array.from(values(channels)), { raw: { width, height, channels } })
}

function sixteen(channels: 1 | 3): Sharp {
  const raw = { width, height, channels } as const
  return sharp(Uint16Array.from(values(channels, 65535)), { raw }).toColourspace(
    channels === 1 ? 'grey16' : 'rgb16',
  )
}

/** Restored and written in the format of the file. */
async function through(restorer: Restorer, file: Uint8Array, options = {}): Promise<Uint8Array> {
  return (await restorer.run(file, options)).toBuffer()
}

const samplesOf = async (file: Uint8Array) => {
  const deep = (await sharp(file).metadata()).depth === 'ushort'
  return sharp(file, { ignoreIcc: true })
    .raw({ depth: deep ? 'ushort' : 'uchar' })
    .toBuffer()
}

describe('samples that a network leaves alone come back bit for bit', () => {
  const files: readonly (readonly [string, () => Sharp, string, string])[] = [
    ['color', () => eight(3).png(), 'uchar', 'srgb'],
    ['gray', () => eight(1).toColourspace('b-w').png(), 'uchar', 'b-w'],
    ['color of 16 bits', () => sixteen(3).png(), 'ushort', 'rgb16'],
    ['gray of 16 bits', () => sixteen(1).png(), 'ushort', 'grey16'],
    ['TIFF of 16 bits', () => sixteen(3).tiff({ compression: 'lzw' }), 'ushort', 'rgb16'],
    ['opacity', () => eight(4).png(), 'uchar', 'srgb'],
    ['WebP with opacity', () => eight(4).webp({ lossless: true }), 'uchar', 'srgb'],
  ]
  test.each(files)('%s', async (name, make, depth, space) => {
    const file = await make().toBuffer()
    const restored = await (await same.run(file)).toBuffer(name.startsWith('WebP') ? { format: 'png' } : {})
    const told = await sharp(restored).metadata()
    expect([told.depth, told.space]).toEqual([depth, space])
    expect(Buffer.compare(await samplesOf(restored), await samplesOf(file))).toBe(0)
  })

  test('a wide profile, by way of 16 bits', async () => {
    const soft = Uint8Array.from(values(3, 150, 110))
    const tagged = await sharp(soft, { raw: { width, height, channels: 3 } })
      .withIccProfile('p3')
      .png()
      .toBuffer()
    const result = await same.run(tagged)
    expect(result.raw().depth).toBe(16)
    const restored = await result.toBuffer()
    const [before, after] = await Promise.all([tagged, restored].map((file) => sharp(file).metadata()))
    expect(after?.depth).toBe('uchar')
    expect(after?.icc).toEqual(before?.icc)
    expect(Buffer.compare(await samplesOf(restored), await samplesOf(tagged))).toBe(0)
  })
})

describe('what a file says besides', () => {
  const photo = () =>
    eight(3)
      .withExif({ IFD0: { Make: 'Canon' } })
      .withMetadata({ orientation: 6, density: 300 })
      .withIccProfile('p3')
      .withXmp(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>',
      )
      .jpeg({ quality: 90 })
      .toBuffer()

  test('is kept, with the orientation applied', async () => {
    const file = await photo()
    const [before, after] = await Promise.all(
      [file, await through(same, file)].map((one) => sharp(one).metadata()),
    )
    expect([after?.format, after?.width, after?.height, after?.orientation ?? 1]).toEqual([
      'jpeg',
      height,
      width,
      1,
    ])
    expect(after?.icc).toEqual(before?.icc)
    expect(after?.exif?.toString('latin1')).toContain('Canon')
    expect(after?.xmp?.toString()).toContain('xmpmeta')
    expect([before?.density, after?.density]).toEqual([300, 300])
    expect(after?.chromaSubsampling).toBe('4:4:4')
  })

  test('is left out on request, and the orientation applied all the same', async () => {
    const {
      icc,
      exif,
      xmp,
      width: w,
    } = await sharp(await (await same.run(await photo())).toBuffer({ strip: true })).metadata()
    expect([icc, exif, xmp, w]).toEqual([undefined, undefined, undefined, height])
  })

  test('the quality that is asked for is that of the file', async () => {
    const result = await same.run(await photo())
    const sizes = await Promise.all(
      [95, 50, 5].map(async (quality) => (await result.toBuffer({ quality })).length),
    )
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a))
    expect((await result.toBuffer()).length).toBe(sizes[0])
  })
})

describe('opacity', () => {
  const raw = { width: 8, height: 8, channels: 4 } as const
  const clear = (opacity: (i: number) => number) => ({
    ...raw,
    data: Uint8Array.from({ length: 256 }, (_, i) => (i % 4 === 3 ? opacity(i >> 2) : 100)),
  })
  const opacities = (data: ArrayLike<number>) => Array.from(data).filter((_, i) => i % 4 === 3)

  test('is kept as it is, or restored as the colors are', async () => {
    const picture = clear((i) => i)
    expect(opacities((await lighter.run(picture)).raw().data)).toEqual(
      Array.from({ length: 64 }, (_, i) => i),
    )
    const restored = (await lighter.run(picture, { opacity: 'restore' })).raw().data
    expect(opacities(restored)).toEqual(Array.from({ length: 64 }, (_, i) => Math.round(i + 0.05 * 255)))
    expect(restored[4]).toBe(113)
  })

  test('that is the same everywhere is not restored', async () => {
    const restored = (
      await lighter.run(
        clear(() => 200),
        { opacity: 'restore' },
      )
    ).raw().data
    expect(new Set(opacities(restored))).toEqual(new Set([200]))
  })

  test('of nothing leaves the colors that nobody sees', async () => {
    const { data } = (await lighter.run(clear((i) => (i < 9 ? 0 : 255)))).raw()
    expect([data[0], data[32], data[36]]).toEqual([100, 100, 113])
  })
})

describe('strength', () => {
  const gray = { width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(100) } as const

  test.each([
    [0, 100],
    [0.5, 106],
    [1, 113],
  ])('%d mixes the restoration with the picture', async (strength, value) => {
    expect(new Set((await lighter.run(gray, { strength })).raw().data)).toEqual(new Set([value]))
  })

  test.each([-0.1, 1.1, Number.NaN])('%d is refused', async (strength) => {
    await expect(lighter.run(gray, { strength })).rejects.toThrow('strength: expected a number from 0 to 1')
  })
})

test('a file is read as it is, whatever its name says', async () => {
  writeFileSync(at('wrong.jpg'), await eight(3).png().toBuffer())
  const result = await same.run(at('wrong.jpg'))
  await result.toFile(at('out.png'))
  expect(Buffer.compare(await samplesOf(readFileSync(at('out.png'))), Buffer.from(values(3)))).toBe(0)
})
