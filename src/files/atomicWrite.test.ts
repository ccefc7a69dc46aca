import { spawn } from 'node:child_process'
import {
  type linkSync,
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
import { writeLeftover } from '../../test/leftovers.ts'
import { clearLeftovers, writeAtomic, writeAtomicSync } from './atomicWrite.ts'
import { unwritable } from './outputErrors.ts'

const hasLinks = { value: true }
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const refused = Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' })
  const link: typeof linkSync = (from, to) => {
    if (!hasLinks.value) throw refused
    fs.linkSync(from, to)
  }
  return { ...fs, linkSync: link }
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
  const module = join(process.cwd(), 'src/files/atomicWrite.ts')
  const program = `
    import { writeAtomicSync } from ${JSON.stringify(module)}
    const [, folder, startMs] = process.argv
    while (Date.now() < Number(startMs)) {}
    let won = 0
    for (let i = 0; i < 100; i++) {
      try {
        writeAtomicSync(folder + '/' + i, [Buffer.from(String(process.pid))], { overwrite: false })
        won++
      } catch (error) { if (!/exists already/.test(error.message)) throw error }
    }
    console.log(won)`
  const start = String(Date.now() + 3000)
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program, folder, start]
  const wins = await Promise.all(
    [0, 1].map(
      () =>
        new Promise<number>((resolve) => {
          const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
          let text = ''
          child.stdout.on('data', (data) => {
            text += data
          })
          child.on('close', () => resolve(Number(text)))
        }),
    ),
  )
  expect((wins[0] ?? 0) + (wins[1] ?? 0)).toBe(100)
  expect(readdirSync(folder)).toHaveLength(100)
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
