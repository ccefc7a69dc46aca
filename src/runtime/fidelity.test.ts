// What restoring must preserve, tested with networks that add a constant everywhere: 0.05, or nothing.

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
const width = 21
const height = 13
let identity: Restorer
let lighter: Restorer

/** Writes a light network that adds a constant to the picture. */
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
  writeShift(at('identity.safetensors'), 0)
  writeShift(at('lighter.safetensors'), 0.05)
  const open = (name: string) => createRestorer({ weights: at(name), device: 'cpu', threads: 1 })
  ;[identity, lighter] = await Promise.all([open('identity.safetensors'), open('lighter.safetensors')])
})
afterAll(async () => {
  await Promise.all([identity, lighter].map((restorer) => restorer.close()))
  rmSync(dir, { recursive: true, force: true })
})

function values(channels: number, max = 255, min = 0): number[] {
  return Array.from({ length: width * height * channels }, (_, i) => min + ((i * 7919) % (max + 1 - min)))
}

function picture8(channels: 1 | 2 | 3 | 4): Sharp {
  return sharp(Uint8Array.from(values(channels)), { raw: { width, height, channels } })
}

function picture16(channels: 1 | 3): Sharp {
  const raw = { width, height, channels } as const
  return sharp(Uint16Array.from(values(channels, 65535)), { raw }).toColourspace(
    channels === 1 ? 'grey16' : 'rgb16',
  )
}

/** Restores a file and encodes the result in the same format. */
async function restored(restorer: Restorer, file: Uint8Array, options = {}): Promise<Uint8Array> {
  return (await restorer.run(file, options)).toBuffer()
}

const samplesOf = async (file: Uint8Array) => {
  const deep = (await sharp(file).metadata()).depth === 'ushort'
  return sharp(file, { ignoreIcc: true })
    .raw({ depth: deep ? 'ushort' : 'uchar' })
    .toBuffer()
}

describe('an identity network returns samples bit for bit', () => {
  const files: readonly (readonly [string, () => Sharp, string, string])[] = [
    ['color', () => picture8(3).png(), 'uchar', 'srgb'],
    ['gray', () => picture8(1).toColourspace('b-w').png(), 'uchar', 'b-w'],
    ['16-bit color', () => picture16(3).png(), 'ushort', 'rgb16'],
    ['16-bit gray', () => picture16(1).png(), 'ushort', 'grey16'],
    ['16-bit TIFF', () => picture16(3).tiff({ compression: 'lzw' }), 'ushort', 'rgb16'],
    ['opacity', () => picture8(4).png(), 'uchar', 'srgb'],
    ['WebP with opacity', () => picture8(4).webp({ lossless: true }), 'uchar', 'srgb'],
  ]
  test.each(files)('%s', async (name, make, depth, space) => {
    const file = await make().toBuffer()
    const output = await (await identity.run(file)).toBuffer(name.startsWith('WebP') ? { format: 'png' } : {})
    const metadata = await sharp(output).metadata()
    expect([metadata.depth, metadata.space]).toEqual([depth, space])
    expect(Buffer.compare(await samplesOf(output), await samplesOf(file))).toBe(0)
  })
})

describe('metadata', () => {
  const photo = () =>
    picture8(3)
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
      [file, await restored(identity, file)].map((one) => sharp(one).metadata()),
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

  test('is stripped on request, with the orientation still applied', async () => {
    const {
      icc,
      exif,
      xmp,
      width: w,
    } = await sharp(await (await identity.run(await photo())).toBuffer({ strip: true })).metadata()
    expect([icc, exif, xmp, w]).toEqual([undefined, undefined, undefined, height])
  })

  test('a lower quality writes a smaller file', async () => {
    const result = await identity.run(await photo())
    const sizes = await Promise.all(
      [95, 50, 5].map(async (quality) => (await result.toBuffer({ quality })).length),
    )
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a))
    expect((await result.toBuffer()).length).toBe(sizes[0])
  })
})

describe('opacity', () => {
  const raw = { width: 8, height: 8, channels: 4 } as const
  const withOpacity = (opacity: (i: number) => number) => ({
    ...raw,
    data: Uint8Array.from({ length: 256 }, (_, i) => (i % 4 === 3 ? opacity(i >> 2) : 100)),
  })
  const opacities = (data: ArrayLike<number>) => Array.from(data).filter((_, i) => i % 4 === 3)

  test('is kept, or restored like the colors', async () => {
    const picture = withOpacity((i) => i)
    expect(opacities((await lighter.run(picture)).raw().data)).toEqual(
      Array.from({ length: 64 }, (_, i) => i),
    )
    const { data } = (await lighter.run(picture, { opacity: 'restore' })).raw()
    expect(opacities(data)).toEqual(Array.from({ length: 64 }, (_, i) => Math.round(i + 0.05 * 255)))
    // The color of a pixel that hardly shows is kept.
    expect([data[4], data[4 * 40]]).toEqual([100, 113])
  })

  test('is not restored where it is uniform', async () => {
    const { data } = (
      await lighter.run(
        withOpacity(() => 200),
        { opacity: 'restore' },
      )
    ).raw()
    expect(new Set(opacities(data))).toEqual(new Set([200]))
  })

  test('of 0 preserves the hidden colors', async () => {
    const { data } = (await lighter.run(withOpacity((i) => (i < 9 ? 0 : 255)))).raw()
    expect([data[0], data[32], data[36]]).toEqual([100, 100, 113])
  })
})

describe('strength', () => {
  const gray = { width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(100) } as const

  test.each([
    [0, 100],
    [0.5, 106],
    [1, 113],
  ])('%d blends the restoration with the picture', async (strength, value) => {
    expect(new Set((await lighter.run(gray, { strength })).raw().data)).toEqual(new Set([value]))
  })

  test.each([-0.1, 1.1, Number.NaN])('%d is rejected', async (strength) => {
    await expect(lighter.run(gray, { strength })).rejects.toThrow('strength: expected a number from 0 to 1')
  })
})

test('a file is read by its content, not its extension', async () => {
  writeFileSync(at('wrong.jpg'), await picture8(3).png().toBuffer())
  const result = await identity.run(at('wrong.jpg'))
  await result.toFile(at('out.png'))
  expect(Buffer.compare(await samplesOf(readFileSync(at('out.png'))), Buffer.from(values(3)))).toBe(0)
})
