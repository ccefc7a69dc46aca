import {
  type linkSync,
  type MakeDirectoryOptions,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { contend } from '../../test/contenders.ts'
import { writeLeftover } from '../../test/leftovers.ts'
import { checkRoom, clearLeftovers, copyAtomicSync, writeAtomic, writeAtomicSync } from './atomicWrite.ts'
import { makeFolder } from './folders.ts'
import { unwritable } from './outputErrors.ts'

const hasLinks = { value: true }
const hasFolders = { value: true }
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const refused = Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' })
  const link: typeof linkSync = (from, to) => {
    if (!hasLinks.value) throw refused
    fs.linkSync(from, to)
  }
  const readOnly = Object.assign(new Error('EROFS: read-only file system, mkdir'), { code: 'EROFS' })
  const mkdir = (folder: string, options?: MakeDirectoryOptions) => {
    // As Node does, which loses the reason on its way to the parent.
    if (!hasFolders.value)
      throw options?.recursive ? Object.assign(new Error(), { code: 'ENOENT' }) : readOnly
    fs.mkdirSync(folder, options)
  }
  return { ...fs, linkSync: link, mkdirSync: mkdir }
})

const dir = mkdtempSync(join(tmpdir(), 'limpid-files-'))
const at = (...names: string[]) => join(dir, ...names)
const fresh = (name: string) => {
  mkdirSync(at(name))
  return at(name)
}
afterAll(() => rmSync(dir, { recursive: true, force: true }))
afterEach(() => {
  hasLinks.value = true
  hasFolders.value = true
})

const bytes = (text: string) => Buffer.from(text)

describe.each([
  ['with hard links', true],
  ['without hard links', false],
])('on a file system %s', (name, links) => {
  test('of 20 writers at once that may not overwrite, one wins and the others say so', async () => {
    hasLinks.value = links
    const folder = fresh(`race ${name}`)
    const target = join(folder, 'x.bin')
    const writes = Array.from({ length: 20 }, (_, i) =>
      writeAtomic(target, bytes(String(i).repeat(1000)), { overwrite: false }),
    )
    const ends = await Promise.allSettled(writes)
    const failures = ends.filter((end) => end.status === 'rejected')
    expect(failures).toHaveLength(19)
    for (const { reason } of failures)
      expect(reason).toMatchObject({
        code: 'output',
        message: expect.stringMatching(/exists already; .*--overwrite/),
      })
    const winner = ends.findIndex(({ status }) => status === 'fulfilled')
    expect(readFileSync(target, 'utf8')).toBe(String(winner).repeat(1000))
    expect(readdirSync(folder)).toEqual(['x.bin'])
  })

  test('an existing file stays, or is replaced whole', () => {
    hasLinks.value = links
    const folder = fresh(`existing ${name}`)
    const target = join(folder, 'x.bin')
    writeAtomicSync(target, [bytes('a'), bytes('b')], { overwrite: false })
    expect(() => writeAtomicSync(target, [bytes('c')], { overwrite: false })).toThrow('exists already')
    expect(readFileSync(target, 'utf8')).toBe('ab')
    writeAtomicSync(target, [bytes('c')], { overwrite: true })
    expect(readFileSync(target, 'utf8')).toBe('c')
    expect(readdirSync(folder)).toEqual(['x.bin'])
  })
})

test('of two processes at once that may not overwrite, one wins every time', {
  timeout: 60_000,
}, async () => {
  const folder = fresh('processes')
  const rounds = 50
  const told = await contend(2, {
    module: 'src/files/atomicWrite',
    rounds,
    round: `
      try {
        const file = ${JSON.stringify(folder)} + '/' + i
        tested.writeAtomicSync(file, [Buffer.from(String(process.pid))], { overwrite: false })
        tell(i)
      } catch (error) { if (!/exists already/.test(error.message)) throw error }`,
  })
  const winners = told.flat().sort((a, b) => a - b)
  expect(winners).toEqual(Array.from({ length: rounds }, (_, i) => i))
  expect(readdirSync(folder)).toHaveLength(rounds)
})

test('a name as long as the file system takes works', () => {
  const target = join(fresh('long'), `${'x'.repeat(251)}.png`)
  writeAtomicSync(target, [bytes('a')], { overwrite: false })
  writeAtomicSync(target, [bytes('b')], { overwrite: true })
  expect(readFileSync(target, 'utf8')).toBe('b')
})

test('what fails on the way leaves nothing, and the old file as it was', async () => {
  const folder = fresh('failing')
  const target = join(folder, 'x')
  writeAtomicSync(target, [bytes('old')], { overwrite: false })
  function* parts() {
    yield bytes('new')
    throw new Error('the source is gone')
  }
  expect(() => writeAtomicSync(target, parts(), { overwrite: true })).toThrow(
    'cannot be written (the source is gone)',
  )
  await expect(writeAtomic(folder, bytes('new'), { overwrite: true })).rejects.toThrow(
    'it is a folder (EISDIR)',
  )
  expect(readdirSync(folder)).toEqual(['x'])
  expect(readFileSync(target, 'utf8')).toBe('old')
})

test('a device is not replaced by a file', () => {
  symlinkSync('/dev/null', at('null'))
  expect(() => writeAtomicSync(at('null'), [bytes('x')], { overwrite: true })).toThrow('got a device or pipe')
  expect(statSync(at('null')).isCharacterDevice()).toBe(true)
})

describe('leftovers', () => {
  test('of a killed process go with the next write into their folder, or when the folder is cleared', () => {
    const folder = fresh('killed')
    writeLeftover(folder)
    expect(readdirSync(folder)).toEqual([
      expect.stringMatching(/^\.limpid-[0-9a-f]{6}-\d+-[0-9a-f]{8}\.tmp$/),
    ])
    writeAtomicSync(join(folder, 'x'), [bytes('x')], { overwrite: false })
    expect(readdirSync(folder)).toEqual(['x'])
    writeLeftover(folder)
    clearLeftovers(folder)
    expect(readdirSync(folder)).toEqual(['x'])
  })

  test('of a running process or another machine stay, unless nobody wrote to them for a day', () => {
    const folder = fresh('living')
    writeLeftover(folder)
    const [dead = ''] = readdirSync(folder)
    rmSync(join(folder, dead))
    const living = dead.replace(/-\d+-/, `-${process.ppid}-`)
    const foreign = '.limpid-ffffff-1073741824-01234567.tmp'
    const old = '.limpid-ffffff-1073741824-76543210.tmp'
    const others = ['.limpid-restore.jsonl', 'photo.tmp']
    for (const name of [dead, living, foreign, old, ...others]) writeFileSync(join(folder, name), '')
    const twoDaysAgo = Date.now() / 1000 - 2 * 86_400
    utimesSync(join(folder, old), twoDaysAgo, twoDaysAgo)
    clearLeftovers(folder)
    expect(readdirSync(folder).sort()).toEqual([living, foreign, ...others].sort())
  })
})

test('a copy is whole, replaces nothing unasked, and leaves nothing behind', () => {
  const folder = mkdtempSync(join(dir, 'copy-'))
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  writeFileSync(from, 'new', { mode: 0o444 })
  copyAtomicSync(from, to, { overwrite: false })
  expect(readFileSync(to, 'utf8')).toBe('new')
  writeFileSync(join(folder, 'old'), 'old')
  expect(() => copyAtomicSync(from, join(folder, 'old'), { overwrite: false })).toThrow('exists already')
  expect(readFileSync(join(folder, 'old'), 'utf8')).toBe('old')
  copyAtomicSync(from, join(folder, 'old'), { overwrite: true })
  expect(readFileSync(join(folder, 'old'), 'utf8')).toBe('new')
  expect(() => copyAtomicSync(join(folder, 'none'), join(folder, 'x'), { overwrite: true })).toThrow(
    'cannot be written',
  )
  expect(readdirSync(folder).sort()).toEqual(['from', 'old', 'to'])
})

test('room for a file is checked by writing it, and nothing stays', () => {
  const folder = fresh('room')
  checkRoom(folder, 200_000)
  expect(readdirSync(folder)).toEqual([])
  expect(() => checkRoom(join(folder, 'none'), 1)).toThrow('its folder does not exist (ENOENT)')
})

test('a folder is made with its parents, and what is in the way is named', () => {
  makeFolder(at('deep/er/est/'))
  makeFolder(at('deep/er'))
  expect(readdirSync(at('deep/er'))).toEqual(['est'])
  writeFileSync(at('plain'), '')
  expect(() => makeFolder(at('plain'))).toThrow('another file has its name (EEXIST)')
  expect(() => makeFolder(at('plain/x'))).toThrow('its folder is a file (ENOTDIR)')
})

test('a folder that cannot be made tells why, which the system does not for parents', () => {
  hasFolders.value = false
  expect(() => makeFolder(at('read', 'only'))).toThrow('the file system is read-only (EROFS)')
})

test.each([
  ['ENOSPC', 'x.png: cannot be written: the disk is full (ENOSPC); free some space, or choose another disk'],
  ['EROFS', 'x.png: cannot be written: the file system is read-only (EROFS); choose another folder'],
  [
    'EACCES',
    'x.png: cannot be written: permission denied (EACCES); allow writing there, or choose another folder',
  ],
  ['EUNKNOWN', 'x.png: cannot be written (EUNKNOWN: words of the system)'],
])('%s is told in words', (code, message) => {
  const error = unwritable('x.png', Object.assign(new Error(`${code}: words of the system`), { code }))
  expect(error).toMatchObject({ code: 'output', message })
})
