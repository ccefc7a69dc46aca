// Every kind of input gives the same samples, and anything else an error of Limpid's own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { type RestoreInput, readInput } from './readInput.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-input-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const size = { width: 9, height: 7, channels: 3 } as const
const rgb = Uint8Array.from({ length: 9 * 7 * 3 }, (_, i) => (i * 37) % 256)
const rgb16 = Uint16Array.from(rgb, (value) => 257 * value + 3)
const path = join(dir, 'a photo.png')
writeFileSync(path, await sharp(rgb, { raw: size }).png().toBuffer())
const path16 = join(dir, 'deep.png')
writeFileSync(path16, await sharp(rgb16, { raw: size }).toColourspace('rgb16').png().toBuffer())
const bytes = new Uint8Array(readFileSync(path))

function shared(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(bytes.length)
  new Uint8Array(buffer).set(bytes)
  return buffer
}

async function* inChunks() {
  for (let at = 0; at < bytes.length; at += 50) yield bytes.subarray(at, at + 50)
}

/** A view into the middle of a larger buffer. */
function inTheMiddle(): DataView {
  const larger = new Uint8Array(bytes.length + 20)
  larger.set(bytes, 10)
  return new DataView(larger.buffer, 10, bytes.length)
}

describe('readInput', () => {
  test.each<[string, () => RestoreInput]>([
    ['a path', () => path],
    ['a file URL', () => pathToFileURL(path)],
    ['a Buffer', () => readFileSync(path)],
    ['a Uint8Array', () => bytes],
    ['a Uint8ClampedArray', () => new Uint8ClampedArray(bytes)],
    ['a DataView', inTheMiddle],
    ['an ArrayBuffer', () => bytes.slice().buffer],
    ['a SharedArrayBuffer', shared],
    ['a Blob', () => new Blob([bytes])],
    ['a Readable', () => Readable.from(inChunks())],
    ['a ReadableStream', () => new Blob([bytes]).stream()],
    ['an async generator', inChunks],
    ['an instance of sharp', () => sharp(path)],
    ['an instance of sharp with another output', () => sharp(path).jpeg({ quality: 1 })],
    ['a stream through sharp', () => Readable.from(inChunks()).pipe(sharp())],
    ['samples', () => ({ ...size, data: rgb })],
  ])('reads %s', async (_, input) => {
    const { pixels, depth } = await readInput(input(), {})
    expect([pixels.width, pixels.height, pixels.channels, depth]).toEqual([9, 7, 3, 8])
    expect(Array.from(pixels.data)).toEqual(Array.from(rgb))
  })

  test('keeps the depth of what sharp reads', async () => {
    const { pixels, depth } = await readInput(sharp(path16), {})
    expect([depth, Array.from(pixels.data)]).toEqual([16, Array.from(rgb16)])
  })

  async function* failing() {
    yield bytes
    throw new Error('connection lost')
  }

  test.each<[unknown, string, string]>([
    [null, 'usage', 'image: expected a path, a file: URL, .* got null'],
    [undefined, 'usage', 'got undefined'],
    [42, 'usage', 'got 42'],
    [true, 'usage', 'got true'],
    [() => path, 'usage', 'got a function'],
    [[path], 'usage', 'got a list of 1'],
    [{ path }, 'usage', 'got an object'],
    [new Map(), 'usage', 'got a Map'],
    [new URL('https://example.org/a.png'), 'usage', 'https://example.org/a.png: expected a file: URL'],
    ['https://example.org/a.png', 'usage', 'as nothing is fetched, got https:; fetch it'],
    [
      `data:image/png;base64,${'A'.repeat(1000)}`,
      'usage',
      '^data:image/png;base64,A{98}…: expected a file: URL',
    ],
    ['file://host/a.png', 'usage', 'expected a file: URL'],
    ['', 'usage', "^path: expected a path or a file: URL, got ''"],
    ['http://nothing here', 'input', 'no such file; nothing is fetched: download it first'],
    [new ArrayBuffer(8), 'input', 'image: expected a readable still image'],
    [Readable.from(['text']), 'input', "expected a stream of bytes, got one of 'text'"],
    [failing(), 'input', 'image: cannot be read \\(connection lost\\)'],
    [sharp(Buffer.from('no image')), 'input', 'image: cannot be read'],
    [{ ...size, data: [1, 2] }, 'input', 'image: expected samples in data'],
    [{ ...size, width: 0, data: rgb }, 'input', 'whole pixels and 1 to 4 channels, got 0 × 7 × 3'],
    [{ ...size, channels: 5, data: rgb }, 'input', 'and 1 to 4 channels, got'],
    [{ ...size, width: 3, data: rgb }, 'input', 'image: expected 3 × 7 × 3 samples'],
  ])('refuses %s', async (input, code, message) => {
    const error = await readInput(input as RestoreInput, {}).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'RestoreError', code, message: expect.stringMatching(message) })
  })
})
