import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { FolderStore } from '../store/folderStore.ts'
import { EmbeddedQueue } from './embeddedQueue.ts'
import { Intake } from './intake.ts'

const folder = mkdtempSync(join(tmpdir(), 'limpid-intake-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('counts a job once while it is flushed, and a place until it is released', async () => {
  const queue = await EmbeddedQueue.open(folder)
  let flush = () => {}
  const flushed = new Promise<void>((resolve) => (flush = resolve))
  const add = queue.add.bind(queue)
  vi.spyOn(queue, 'add').mockImplementation(async (...job) => {
    const added = await add(...job)
    await flushed
    return added
  })
  const limits = { bytes: 1e6, pixelsIn: 1e6, pixelsOut: 1e6, queue: 2, ownerQueue: 2 }
  const intake = new Intake({ queue, store: new FolderStore(folder), limits })
  const caller = { owner: 'ann', queue: undefined }
  const place = await intake.reserve(caller)
  const submitted = intake.submit({
    ...{ caller, place, id: 'a', priority: 0, requestKey: undefined, webhook: undefined },
    picture: { input: 'a', size: { width: 8, height: 8, format: 'png' } },
    settings: { task: 'photo' },
  })
  await expect.poll(async () => (await queue.counts()).byState.queued).toBe(1)
  const second = await intake.reserve(caller)
  await expect(intake.reserve(caller)).rejects.toThrow('expected room')
  flush()
  expect(await submitted).toMatchObject({ isNew: true })
  place[Symbol.dispose]()
  await expect(intake.reserve(caller)).rejects.toThrow('expected room')
  second[Symbol.dispose]()
  await intake.reserve(caller)
  await queue.close()
})
