import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Manifest, manifestName, stampOf } from './manifest.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-manifest-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const settings = { strength: 1 }
const bytes = Buffer.from('restored')

/** A folder with inputs, and one for results. */
function folders(name: string) {
  const [inputs, outputs] = [join(dir, name, 'in'), join(dir, name, 'out')]
  for (const folder of [inputs, outputs]) mkdirSync(folder, { recursive: true })
  const result = (file: string) => {
    const path = join(inputs, file)
    writeFileSync(path, file)
    return { path, output: join(outputs, file) }
  }
  const open = (resume = true) => Manifest.open(outputs, settings, { resume })
  return { outputs, result, open, log: join(outputs, manifestName) }
}

/** Writes a result as a run does. */
function write(manifest: Manifest, result: { readonly path: string; readonly output: string }): void {
  manifest.announce(result, bytes, stampOf(result.path))
  writeFileSync(result.output, bytes)
  manifest.finish(result)
}

test('what is done is known to the next run, until its input changes', () => {
  const { result, open } = folders('done')
  const [a, b] = [result('a.png'), result('b.png')]
  const first = open()
  write(first, a)
  expect([first.isDone(a), first.isDone(b)]).toEqual([true, false])
  first.close()
  const second = open()
  expect([second.isDone(a), second.isOwn(a), second.isDone(b)]).toEqual([true, true, false])
  writeFileSync(a.path, 'another photo')
  expect([second.isDone(a), second.isOwn(a)]).toEqual([false, true])
  writeFileSync(a.output, 'retouched')
  expect(second.isOwn(a)).toBe(false)
  second.close()
})

test('a run with other inputs in between leaves the results of one that is gone on with', () => {
  const { result, open } = folders('between')
  const [a, b] = [result('a.png'), result('b.png')]
  const first = open(false)
  write(first, a)
  first.close()
  const between = open(false)
  // Without --resume all is done anew.
  expect([between.isDone(a), between.isOwn(a)]).toEqual([false, true])
  write(between, b)
  between.close()
  const resumed = open()
  expect([resumed.isDone(a), resumed.isDone(b)]).toEqual([true, true])
  resumed.close()
})

test('a run with other settings in between is none to go on with', () => {
  const { outputs, result, open } = folders('settings between')
  const a = result('a.png')
  const first = open(false)
  write(first, a)
  first.close()
  Manifest.open(outputs, { strength: 0.5 }, { resume: false }).close()
  expect(() => open()).toThrow('strength 0.5, got 1; use those, or another folder')
  const anew = open(false)
  expect(anew.isOwn(a)).toBe(false)
  anew.close()
})

test('a photo that was replaced while it was computed is not done', () => {
  const { result, open } = folders('replaced')
  const a = result('a.png')
  const manifest = open()
  const stamp = stampOf(a.path)
  writeFileSync(a.path, 'the next photo')
  manifest.announce(a, bytes, stamp)
  writeFileSync(a.output, bytes)
  manifest.finish(a)
  expect(manifest.isDone(a)).toBe(false)
  manifest.close()
})

test('the result of another input is told from that of the same one', () => {
  const { result, open } = folders('mine')
  const other = folders('other').result('a.png')
  const a = result('a.png')
  const manifest = open()
  write(manifest, a)
  const same = { path: other.path, output: a.output }
  expect([manifest.otherInput(a), manifest.otherInput(same)]).toEqual([undefined, a.path])
  manifest.close()
})

test.each([
  ['cut short by a full disk or a kill', '\n{"writing":"b.png","sha'],
  ['null', '\nnull'],
  ['numbers', '\n5\n1e999'],
  ['lists', '\n[]\n[{"done":"a.png"}]'],
  ['of an earlier version', '\n{"process":1}'],
  ['of bytes', '\n\0\ufffd{"done'],
  ['of settings that are none', '\n{"settings":null}\n{"settings":5}'],
])('lines %s are left out, and those around them count', (name, lines) => {
  const { result, open, log } = folders(name)
  const [a, b, c] = [result('a.png'), result('b.png'), result('c.png')]
  const first = open()
  write(first, a)
  appendFileSync(log, lines)
  write(first, c)
  first.close()
  const second = open()
  expect([a, b, c].map((one) => second.isDone(one))).toEqual([true, false, true])
  second.close()
})

test('one that ends its lines itself is gone on with', () => {
  const { result, open, log } = folders('ended')
  const a = result('a.png')
  write(open(), a)
  writeFileSync(log, `${readFileSync(log, 'utf8').trim()}\n`)
  rmSync(join(dir, 'ended/out/.limpid-restore.lock'))
  const again = open()
  expect(again.isDone(a)).toBe(true)
  again.close()
})

test('what is done is measured by milliseconds, since file systems differ', () => {
  const { result } = folders('times')
  const { path } = result('a.png')
  utimesSync(path, 1_700_000_000.1234567, 1_700_000_000.1234567)
  expect(stampOf(path)).toBe('5 1700000000123')
})

describe('is refused', () => {
  test.each([
    ['a link', (log: string) => symlinkSync(join(dir, 'kept.txt'), log)],
    ['a pipe', (log: string) => execFileSync('mkfifo', [log])],
    ['a folder', (log: string) => mkdirSync(log)],
  ])('%s of its name, which stays', (name, make) => {
    const { open, log } = folders(name)
    writeFileSync(join(dir, 'kept.txt'), 'mine')
    make(log)
    for (const resume of [true, false])
      expect(() => open(resume)).toThrow('got a link, pipe or folder; remove it')
    expect(readFileSync(join(dir, 'kept.txt'), 'utf8')).toBe('mine')
  })

  test('a second one for the same folder, at the same time', () => {
    const { outputs, open } = folders('twice')
    const first = open()
    for (const resume of [true, false])
      expect(() => open(resume)).toThrow(`${outputs}: process ${process.pid} is restoring into it`)
    first.close()
    open().close()
  })

  test('one of other settings', () => {
    const { outputs, open } = folders('settings')
    open().close()
    expect(() => Manifest.open(outputs, { strength: 0.5 }, { resume: true })).toThrow(
      'was begun with, strength 1, got 0.5',
    )
    Manifest.open(outputs, { strength: 0.5 }, { resume: false }).close()
  })
})
