import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { contend } from '../../test/contenders.ts'
import { takeLock } from './lock.ts'
import { isRunning, thisProcess } from './processes.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-lock-'))
const at = (...names: string[]) => join(dir, ...names)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const words = { what: 'out', work: 'training there' }
const owner = { host: hostname(), pid: process.ppid, startedAt: '2026-01-02T03:04:05.678Z' }
const deadPid = 2 ** 30
const write = (name: string, content: unknown) =>
  writeFileSync(at(name), typeof content === 'string' ? content : JSON.stringify(content))

test('a lock is a file that names its owner, and is gone when it is released', () => {
  const lock = takeLock(at('new', 'lock'), words)
  expect(JSON.parse(readFileSync(at('new', 'lock'), 'utf8'))).toMatchObject(thisProcess())
  expect(() => takeLock(at('new', 'lock'), words)).toThrow(
    `out: process ${process.pid} is training there (since 20`,
  )
  lock.release()
  expect(readdirSync(at('new'))).toEqual([])
  takeLock(at('new', 'lock'), words).release()
})

test('that of a running process is respected, and says since when', () => {
  write('held', owner)
  expect(() => takeLock(at('held'), words)).toThrow(
    `out: process ${process.ppid} is training there (since 2026-01-02 03:04 UTC); wait for it, or choose another folder`,
  )
  expect(JSON.parse(readFileSync(at('held'), 'utf8'))).toEqual(owner)
})

test('that of another host is respected, be its number running here or not', () => {
  write('far', { ...owner, host: 'elsewhere', pid: deadPid })
  expect(() => takeLock(at('far'), words)).toThrow(
    `process ${deadPid} on host elsewhere is training there (since 2026-01-02 03:04 UTC); wait for it, or delete ${at('far')} if it has ended`,
  )
})

test('that of another container is respected, though host and number are those of a process here', () => {
  write('contained', { ...owner, machine: 'ffffff', pid: process.ppid })
  expect(() => takeLock(at('contained'), words)).toThrow(
    `process ${process.ppid} in another container on host ${hostname()} is training there (since 2026-01-02 03:04 UTC); wait for it, or delete`,
  )
})

test.each([
  ['a process that has ended', { ...owner, pid: deadPid }],
  ['a process whose number another has now', { ...owner, start: 'earlier-boot 1' }],
  ['a power cut', ''],
  ['all processes', { ...owner, pid: -1 }],
  ['its own group', { ...owner, pid: 0 }],
])('that of %s is taken over', (name, content) => {
  write(name, content)
  const lock = takeLock(at(name), words)
  expect(JSON.parse(readFileSync(at(name), 'utf8'))).toMatchObject(thisProcess())
  lock.release()
  expect(readdirSync(dir).filter((file) => file.startsWith(name))).toEqual([])
})

test.runIf(process.platform === 'linux')('a number that is used again is told apart by its start', () => {
  const { pid, start } = thisProcess()
  expect(start).toMatch(/^[0-9a-f-]{36} \d+$/)
  expect(isRunning({ pid, start: start! })).toBe(true)
  expect(isRunning({ pid, start: `${start}0` })).toBe(false)
})

test('one that someone else has taken over is not removed by its first owner', () => {
  const lock = takeLock(at('lost'), words)
  write('lost', owner)
  lock.release()
  expect(readdirSync(dir)).toContain('lost')
})

test('of contenders for the lock of a dead process one wins every time', { timeout: 60_000 }, async () => {
  const rounds = 30
  for (let i = 0; i < rounds; i++) write(`contended${i}`, { ...owner, pid: deadPid, startedAt: `round ${i}` })
  const told = await contend(3, {
    module: 'src/files/lock',
    rounds,
    round: `
      try {
        tested.takeLock(${JSON.stringify(dir)} + '/contended' + i, { what: 'out', work: 'training there' })
        tell(i)
      } catch (error) { if (!/is training there/.test(error.message)) throw error }`,
  })
  const winners = told.flat().sort((a, b) => a - b)
  expect(winners).toEqual(Array.from({ length: rounds }, (_, i) => i))
})
