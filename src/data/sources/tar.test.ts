import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { RestoreError } from '../../core/errors.ts'
import { listTar, type TarInput, tarParts, tarSize } from './tar.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-tar-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const makeFile = (name: string, size: number): TarInput => {
  return { name, size, modified: 1_600_000_000, read: () => new Uint8Array(size).fill(name.length) }
}
const names = [
  'a.png',
  `${'d'.repeat(90)}/${'e'.repeat(40)}.png`,
  `${'f'.repeat(120)}.png`,
  'Städte/Zürich 1.png',
  `${'g/'.repeat(140)}h.png`,
]
const files = names.map((name, i) => makeFile(name, i * 511))
const archive = Buffer.concat([...tarParts(files)])

function writeArchive(bytes: Uint8Array): string {
  const path = join(dir, 'x.tar')
  writeFileSync(path, bytes)
  return path
}

describe('an archive', () => {
  test('lists the written files with correct offsets', () => {
    const found = listTar(writeArchive(archive))
    expect(found.map(({ name, size, modified }) => [name, size, modified])).toEqual(
      files.map(({ name, size, modified }) => [name, size, modified]),
    )
    for (const [i, { offset, size }] of found.entries()) {
      const content = archive.subarray(offset, offset + size)
      expect(content.equals(Buffer.from(files[i]?.read() ?? []))).toBe(true)
    }
  })

  test('has the predicted size and is reproducible', () => {
    const sizes = files.reduce((sum, file) => sum + tarSize(file), 1024)
    expect(archive.length).toBe(sizes)
    expect(Buffer.concat([...tarParts(files)]).equals(archive)).toBe(true)
  })

  const gnuTar = test.runIf(process.platform === 'linux')

  gnuTar('can be read by tar', () => {
    const listed = execFileSync('tar', ['-tf', writeArchive(archive), '--quoting-style=literal'], {
      encoding: 'utf8',
    })
    expect(listed.trim().split('\n')).toEqual(names)
  })

  gnuTar.each(['ustar', 'gnu', 'pax'])(
    'written by tar as %s is listed, without folders and links',
    (format) => {
      const long = `${'n'.repeat(130)}.png`
      const chosen = ['first.png', ...(format === 'ustar' ? [] : [long])]
      const from = mkdtempSync(join(dir, 'in-'))
      for (const name of chosen) writeFileSync(join(from, name), name)
      execFileSync('mkdir', [join(from, 'folder')])
      execFileSync('ln', ['-s', 'first.png', join(from, 'link.png')])
      const path = join(dir, 'made.tar')
      execFileSync('tar', ['-C', from, `--format=${format}`, '-cf', path, 'folder', 'link.png', ...chosen])
      const found = listTar(path)
      expect(found.map(({ name }) => name)).toEqual(chosen)
      const bytes = readFileSync(path)
      for (const { name, offset, size } of found)
        expect(bytes.toString('utf8', offset, offset + size)).toBe(name)
    },
  )

  test('is not written if a file changed size', () => {
    const changed = { ...makeFile('a.png', 5), read: () => new Uint8Array(6) }
    expect(() => [...tarParts([changed])]).toThrow(
      'a.png: expected 5 bytes, got 6; the file changed while it was packed',
    )
  })
})

describe('rejects an archive', () => {
  const damaged = (at: number, text: string) => {
    const copy = Buffer.from(archive)
    copy.write(text, at, 'latin1')
    copy.write('        ', 148, 'latin1')
    const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0)
    copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    return copy
  }
  test.each([
    ['truncated within a file', archive.subarray(0, 1500), 'truncated'],
    ['truncated between files', archive.subarray(0, 512), 'without an end marker'],
    ['that is compressed', gzipSync(archive), 'a compressed archive; decompress it'],
    ['of arbitrary bytes', Buffer.alloc(2048, 'x'), 'instead of a number'],
    ['with a corrupted header', Buffer.from(archive).fill('z', 0, 1), 'no tar header at byte 0'],
    ['with a size of terabytes', damaged(124, '77777777777\0'), 'truncated'],
    ['with a size in letters', damaged(124, 'abcdefghijk\0'), 'instead of a number'],
    ['that is empty', Buffer.alloc(0), 'without an end marker'],
  ])('%s', (_, bytes, reason) => {
    const path = writeArchive(bytes)
    expect(() => listTar(path)).toThrow(reason)
    expect(() => listTar(path)).toThrow(RestoreError)
  })

  test('or lists it after any byte changed, but never crashes', () => {
    for (let round = 0; round < 300; round++) {
      const copy = Buffer.from(archive)
      copy[(round * 7919) % 4096] = (round * 31) % 256
      try {
        for (const { offset, size } of listTar(writeArchive(copy))) {
          expect(offset + size).toBeLessThanOrEqual(copy.length)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(RestoreError)
      }
    }
  })

  test('that is missing', () => {
    expect(() => listTar(join(dir, 'none.tar'))).toThrow(/none.tar: expected a tar archive, got: ENOENT/)
  })
})
