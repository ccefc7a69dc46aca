import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type FileHandle, open as openFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EmbeddedQueue } from './embeddedQueue.ts'
import type { NewJob } from './job.ts'

const limits = { total: 100, owner: 100 }
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpid-embedded-'))
})

afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})

const jobOf = (id: string): NewJob => ({
  ...{ id, owner: 'ann', settings: { format: 'png' }, model: 'light-photo', priority: 0, requestHash: id },
  ...{ input: `input of ${id}`, address: `result of ${id}`, requestKey: undefined, webhook: undefined },
})

/** Watches the flushes of all open files. */
async function watchFlushes() {
  const file = await openFile(join(folder, 'any'), 'w')
  await file.close()
  return vi.spyOn(Object.getPrototypeOf(file) as FileHandle, 'datasync')
}

test('flushes what a client was told: jobs that are added, canceled or removed', async () => {
  const flushes = await watchFlushes()
  const queue = await EmbeddedQueue.open(folder)
  const flushed = async (action: () => Promise<unknown>) => {
    const before = flushes.mock.settledResults.length
    await action()
    return flushes.mock.settledResults.slice(before).filter(({ type }) => type === 'fulfilled').length
  }
  expect(await flushed(() => queue.add(jobOf('a'), limits))).toBe(1)
  expect(await flushed(() => queue.cancel('ann', 'a'))).toBe(1)
  expect(await flushed(() => queue.remove('ann', 'a'))).toBe(1)
  await queue.close()
})

test('leaves flushes to SQLite where it has no write-ahead log', async () => {
  const { prepare, exec } = Database.prototype
  vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (this: Database.Database, sql: string) {
    return prepare.call(this, sql.replace('journal_mode = WAL', 'journal_mode = DELETE'))
  })
  const executed = vi.spyOn(Database.prototype, 'exec').mockImplementation(function (
    this: Database.Database,
    sql: string,
  ) {
    return exec.call(this, sql)
  })
  const queue = await EmbeddedQueue.open(folder)
  expect(await queue.add(jobOf('a'), limits)).toMatchObject({ kind: 'added' })
  expect((await queue.cancel('ann', 'a'))?.state).toBe('canceled')
  expect(existsSync(join(folder, 'jobs.sqlite-wal'))).toBe(false)
  expect(executed.mock.calls.flat().join()).not.toContain('synchronous')
  await queue.close()
})

test('adds what came before it is closed', async () => {
  const queue = await EmbeddedQueue.open(folder)
  const adding = Promise.all(Array.from({ length: 40 }, (_, i) => queue.add(jobOf(`j${i}`), limits)))
  await Promise.all([queue.close(), adding])
  const again = await EmbeddedQueue.open(folder)
  expect((await again.counts()).byState.queued).toBe(40)
  await again.close()
})

test('has no room for others where jobs wait to be added', async () => {
  const queue = await EmbeddedQueue.open(folder)
  const adding = queue.add(jobOf('a'), limits)
  expect((await queue.counts()).byState.queued).toBe(0)
  expect(await queue.hasRoom('ben', { total: 1, owner: 1 })).toBe(false)
  expect(await queue.hasRoom('ben', { total: 2, owner: 1 })).toBe(true)
  expect(await queue.hasRoom('ann', { total: 2, owner: 1 })).toBe(false)
  await adding
  await queue.close()
})
