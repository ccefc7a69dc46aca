// Colors of every format, bit depth and profile come back from the command and the library.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp, { type Metadata } from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeTinyWeights } from '../../../test/batches.ts'
import { limpid, type Outcome, program } from '../../../test/limpid.ts'
import { viewAs } from '../../core/data.ts'
import { srgbCurve, srgbPrimaries } from '../../data/colors/codingPoints.ts'
import { curveTag, grayProfile, rgbProfile } from '../../data/colors/matrixProfile.ts'
import { encodeBytes } from '../../data/encode.ts'
import type { BitDepth, Pixels } from '../../data/image.ts'
import { createRestorer, type Restorer } from '../../runtime/restorer.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-colors-'))
const at = (...names: string[]) => join(dir, ...names)

const d65 = [0.3127, 0.329] as const
const adobe = { red: [0.64, 0.33], green: [0.21, 0.71], blue: [0.15, 0.06], white: d65 } as const
const p3 = { red: [0.68, 0.32], green: [0.265, 0.69], blue: [0.15, 0.06], white: d65 } as const
const bt2020 = { red: [0.708, 0.292], green: [0.17, 0.797], blue: [0.131, 0.046], white: d65 } as const
const romm = {
  red: [0.7347, 0.2653],
  green: [0.1596, 0.8404],
  blue: [0.0366, 0.0001],
  white: [0.3457, 0.3585],
} as const

const profiles: Readonly<Record<string, Uint8Array | undefined>> = {
  sRGB: rgbProfile('sRGB', srgbPrimaries, srgbCurve),
  'Display P3': rgbProfile('Display P3', p3, srgbCurve),
  'Adobe RGB': rgbProfile('Adobe RGB', adobe, [563 / 256]),
  ProPhoto: rgbProfile('ProPhoto', romm, [1.8]),
  'linear Rec2020': rgbProfile('linear Rec2020', bt2020, [1]),
  'linear gray': grayProfile('linear gray', curveTag([1])),
  none: undefined,
}

const formats: readonly (readonly [format: string, depths: readonly BitDepth[], holdsGray: boolean])[] = [
  ['png', [8, 16], true],
  ['tiff', [8, 16], true],
  ['jpg', [8], true],
  ['webp', [8], false],
  ['avif', [8, 10, 12], false],
]

const cases = formats.flatMap(([format, depths, holdsGray]) =>
  depths.flatMap((depth) =>
    Object.entries(profiles)
      .filter(([name]) => holdsGray || !name.endsWith('gray'))
      .map(([name, icc]) => ({ format, depth, name, icc, file: `${name} ${depth}.${format}` })),
  ),
)

/** Patches of 8 × 8 pixels: primaries and mixtures, all of them saturated, and steps of dark gray. */
function patches(channels: 1 | 3, depth: BitDepth): Pixels {
  const colors = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [235, 40, 30],
    [30, 200, 60],
    [255, 0, 90],
    [1, 2, 3],
    [9, 14, 20],
  ]
  const [width, height] = [8 * colors.length, 8]
  const gain = depth === 8 ? 1 : 257
  const valueAt = (i: number) => colors[Math.floor((Math.floor(i / channels) % width) / 8)]![i % channels]!
  const size = { length: width * height * channels }
  // Odd values at 16 bits, which 8 bits do not hold.
  const values = Array.from(size, (_, i) =>
    valueAt(i) === 255 ? 255 * gain : valueAt(i) * gain + (gain >> 2),
  )
  const data = depth === 8 ? Uint8Array.from(values) : Uint16Array.from(values)
  return { width, height, channels, hasAlpha: false, data }
}

let restorer: Restorer
let command: Outcome

beforeAll(async () => {
  writeTinyWeights(at('tiny.safetensors'))
  mkdirSync(at('in'))
  for (const { file, format, depth, name, icc } of cases) {
    const metadata = icc && { icc, exif: undefined, xmp: undefined, density: undefined }
    const pixels = patches(name.endsWith('gray') ? 1 : 3, depth)
    const image = { pixels, depth, format, metadata, isLossless: true }
    writeFileSync(at('in', file), await encodeBytes(image, format === 'webp' ? {} : { quality: 100 }))
  }
  const weights = ['--weights', at('tiny.safetensors'), '--device', 'cpu', '--threads', '1']
  command = await limpid('restore', at('in'), '-o', at('out'), '--strength', '0', '--json', ...weights)
  restorer = await createRestorer({ weights: at('tiny.safetensors'), device: 'cpu', threads: 1 })
}, 120_000)
afterAll(async () => {
  await restorer.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Samples in the color space of a file, as libvips reads them. */
async function read(
  file: Uint8Array,
): Promise<{ readonly metadata: Metadata; readonly samples: ArrayLike<number> }> {
  const metadata = await sharp(file).metadata()
  const pipeline = sharp(file, { ignoreIcc: true })
  if (metadata.depth === 'uchar') return { metadata, samples: await pipeline.raw().toBuffer() }
  const space = metadata.channels === 1 ? 'grey16' : 'rgb16'
  const bytes = await pipeline.toColourspace(space).raw({ depth: 'ushort' }).toBuffer()
  return { metadata, samples: viewAs(bytes, Uint16Array) }
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  return Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0)
}

test('the command restores all files without a note', () => {
  const { results, failures } = JSON.parse(command.stdout)
  expect([results.length, failures]).toEqual([cases.length, []])
  expect(results.flatMap(({ notes }: { notes: readonly string[] }) => notes)).toEqual([])
})

test.each(cases)('$file comes back', async ({ file, format, depth, icc }) => {
  const input = readFileSync(at('in', file))
  const before = await read(input)
  const result = await restorer.run(input, { strength: 0 })
  // Lossy codecs round by a level or two of their depth.
  const isLossless = ['png', 'tiff', 'webp'].includes(format)
  const after = await read(await result.toBuffer(isLossless ? {} : { quality: 100 }))
  const tolerance = isLossless ? 0 : 2 * 2 ** (depth === 8 ? 0 : 16 - depth)
  expect(largestDifference(after.samples, before.samples)).toBeLessThanOrEqual(tolerance)
  const { format: type, depth: stored, bitsPerSample, channels, icc: embedded } = after.metadata
  expect({ type, stored, bitsPerSample, channels }).toEqual({
    type: before.metadata.format,
    stored: depth === 8 ? 'uchar' : 'ushort',
    bitsPerSample: before.metadata.bitsPerSample,
    channels: before.metadata.channels,
  })
  expect(bytesOf(embedded)).toEqual(bytesOf(icc))
  expect(bytesOf(result.raw().icc)).toEqual(bytesOf(icc))
  expect(Buffer.compare(readFileSync(at('out', file)), await result.toBuffer())).toBe(0)
})

test('what is damaged, converted or transparent is written with a note or a background, without a temporary folder', async () => {
  mkdirSync(at('odd'))
  const raw = { width: 8, height: 8, channels: 4 } as const
  const clear = sharp(new Uint8Array(256).fill(60), { raw })
  writeFileSync(at('odd', 'clear.png'), await clear.png().toBuffer())
  writeFileSync(
    at('odd', 'cmyk.jpg'),
    await clear.clone().removeAlpha().toColourspace('cmyk').jpeg().toBuffer(),
  )
  writeFileSync(at('odd', 'p3.png'), readFileSync(at('in', 'Display P3 16.png')))
  const options = ['--strength', '0', '--format', 'jpg', '--background', 'white', '--quiet']
  const weights = ['--weights', at('tiny.safetensors'), '--device', 'cpu', '--threads', '1']
  const args = [program, 'restore', at('odd'), '-o', at('odd out'), ...options, ...weights]
  const env = { ...process.env, TMPDIR: at('nowhere') }
  const { stderr } = await promisify(execFile)(process.execPath, args, { env })
  expect(stderr.trim().split('\n').sort()).toEqual([
    `${at('odd', 'cmyk.jpg')}: CMYK was converted to sRGB`,
    `${at('odd', 'p3.png')}: its 16 bits per sample became 8, since jpg holds 8`,
  ])
  const { metadata } = await read(readFileSync(at('odd out', 'p3.jpg')))
  expect(bytesOf(metadata.icc)).toEqual(bytesOf(profiles['Display P3']))
  // 60 of opacity 60 on white.
  const { samples } = await read(readFileSync(at('odd out', 'clear.jpg')))
  expect(Math.abs(samples[0]! - 209)).toBeLessThanOrEqual(2)
  const refused = await limpid('restore', at('odd', 'clear.png'), '--background', 'nothing', ...weights)
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('--background: expected a color'),
  ])
}, 120_000)

function bytesOf(icc: Uint8Array | undefined): readonly number[] | undefined {
  return icc && [...icc]
}
