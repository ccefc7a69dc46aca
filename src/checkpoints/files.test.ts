import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { float32Data, type TensorData } from '../core/data.ts'
import { type ErrorCode, RestoreError } from '../core/errors.ts'
import type { StoredTensor } from './checkpoint.ts'
import { readCheckpoint, writeSafetensors } from './files.ts'

const folder = mkdtempSync(join(tmpdir(), 'limpid-checkpoints-'))
afterAll(() => rmSync(folder, { recursive: true }))

const tensors = new Map<string, TensorData>([['w', float32Data(new Float32Array([1, 2, 3, 4]), [2, 2])]])

function expectError(action: () => unknown, code: ErrorCode, message: RegExp): void {
  expect(action).toThrow(message)
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(RestoreError)
    expect(error).toMatchObject({ code })
  }
}

describe('readCheckpoint', () => {
  it('reports a missing file, and a folder', () => {
    expectError(
      () => readCheckpoint(join(folder, 'none.pth')),
      'input',
      /none\.pth: no such file; check the path/,
    )
    expectError(() => readCheckpoint(folder), 'input', /expected a file, got a folder/)
  })

  it.each([
    ['text.pth', 'weights\nhere', /this is text \('weights'\)/],
    ['png.pth', '\x89PNG\r\n\x1a\n', /a PNG image/],
    ['page.safetensors', '  <!DOCTYPE html>', /a web page/],
    ['lfs.safetensors', 'version https://git-lfs.github.com/spec/v1\n', /git lfs pull/],
    ['error.pth', '{"error":{"code":404}}', /this is text/],
    ['packed.pth', '\x1f\x8b\x08\x00', /gzip archive; unpack it first/],
    ['other.pth', '\x00\x01\x02\x03', /starts with 00 01 02 03/],
    ['old.pth', `${'\0'.repeat(257)}ustar`, /PyTorch before 0\.1\.10/],
    ['pickle.pkl', '\x80\x04K\x01.', /a bare Python pickle/],
  ])('recognizes %s', (name, content, message) => {
    const file = join(folder, name)
    writeFileSync(file, content, 'latin1')
    expectError(() => readCheckpoint(file), 'checkpoint', message)
  })

  it('detects that a file was truncated or deleted after it was opened', () => {
    const file = join(folder, 'shrinks.safetensors')
    writeSafetensors(file, tensors)
    const tensor = readCheckpoint(file).tensors.get('w')!
    expect(tensor.read().length).toBe(16)
    truncateSync(file, 20)
    expectError(() => tensor.read(), 'checkpoint', /tensor 'w': changed while it was being read/)
    rmSync(file)
    expectError(() => tensor.read(), 'input', /no such file; check the path/)
  })

  it('rejects a file with trailing bytes', () => {
    const file = join(folder, 'longer.safetensors')
    writeSafetensors(file, tensors)
    appendFileSync(file, 'x')
    expectError(() => readCheckpoint(file), 'checkpoint', /take 16 bytes, but 17 follow/)
  })
})

describe('writeSafetensors', () => {
  it('replaces a file atomically and leaves no temporary file', () => {
    const file = join(mkdtempSync(join(folder, 'w-')), 'a.safetensors')
    writeSafetensors(file, new Map([['old', tensors.get('w')!]]))
    writeSafetensors(file, tensors, new Map([['format', 'pt']]))
    expect(readdirSync(join(file, '..'))).toEqual(['a.safetensors'])
    expect([...readCheckpoint(file).tensors.keys()]).toEqual(['w'])
  })

  it('keeps the old file and no temporary one if a tensor cannot be read', () => {
    const file = join(mkdtempSync(join(folder, 'w-')), 'a.safetensors')
    writeSafetensors(file, tensors)
    const before = readFileSync(file)
    const broken: StoredTensor = {
      dtype: 'float32',
      shape: [2],
      read() {
        throw new RestoreError('checkpoint', 'the source is damaged')
      },
    }
    expectError(() => writeSafetensors(file, new Map([['w', broken]])), 'checkpoint', /damaged/)
    expect(readFileSync(file)).toEqual(before)
    expect(readdirSync(join(file, '..'))).toEqual(['a.safetensors'])
  })

  it('reports a folder that cannot be written to', () => {
    expectError(() => writeSafetensors(join(folder, 'none', 'a'), tensors), 'output', /cannot be written/)
  })

  it('reads one tensor at a time', () => {
    const reads: string[] = []
    const lazy = (name: string): StoredTensor => ({
      dtype: 'uint8',
      shape: [1000],
      read() {
        reads.push(name)
        return new Uint8Array(1000).fill(reads.length)
      },
    })
    const file = join(folder, 'streamed.safetensors')
    const names = Array.from({ length: 50 }, (_, index) => `t${String(index).padStart(2, '0')}`)
    const source = new Map(names.map((name) => [name, lazy(name)]))
    writeSafetensors(file, source)
    expect(reads).toEqual(names)
    const found = readCheckpoint(file).tensors
    expect(names.map((name) => found.get(name)!.read()[999])).toEqual(names.map((_, index) => index + 1))
  })
})
