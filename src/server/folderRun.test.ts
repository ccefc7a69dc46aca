import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import { RestoreError } from '../core/errors.ts'
import { type FolderPicture, FolderRun } from './folderRun.ts'
import { EmbeddedQueue } from './jobs/embeddedQueue.ts'
import type { Attempt } from './jobs/job.ts'
import { FolderStore } from './store/folderStore.ts'
import type { StoredReport } from './store/store.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-run-'))
let queue: EmbeddedQueue
let store: FolderStore
let notices: string[]

afterAll(() => rmSync(dir, { recursive: true, force: true }))
beforeEach(async () => {
  const folder = mkdtempSync(join(dir, 'data-'))
  queue = await EmbeddedQueue.open(folder)
  store = new FolderStore(folder)
  notices = []
})

const open = (patienceMs = 30_000) =>
  new FolderRun({
    ...{ queue, store, folder: '/results', settings: { task: 'denoise' }, patienceMs },
    onNotice: (notice) => notices.push(notice),
  })

const picture = (output: string, signal = new AbortController().signal): FolderPicture => ({
  ...{ source: Buffer.from('a picture'), name: 'photo.png', output, format: 'png', page: undefined },
  ...{ signal, onProgress: () => {} },
})

async function claim(): Promise<Attempt> {
  await expect.poll(() => queue.counts()).toMatchObject({ byState: { queued: 1 } })
  return (await queue.claim())!
}

/** Does what a worker does. */
async function publish({ job, fence }: Attempt): Promise<void> {
  const maker = { address: job.address, job: job.id, fence }
  await store.begin(maker)
  const report = { format: 'png', bytes: 5, sha256: 'hash', info: {} } as StoredReport
  await store.publish(maker, Buffer.from('clean'), report)
}

test('a run fetches results and leaves nothing behind, and pictures of one content have jobs of their own', async () => {
  const run = open()
  for (const output of ['/results/a.png', '/results/b.png']) {
    const result = run.restore(picture(output))
    const attempt = await claim()
    await publish(attempt)
    await queue.succeed(attempt)
    expect(await result).toMatchObject({ bytes: Buffer.from('clean'), isOriginal: false })
  }
  expect(await queue.counts()).toMatchObject({ byState: { queued: 0, succeeded: 0 } })
  const stored = readdirSync(dir, { recursive: true, encoding: 'utf8' })
  expect(stored.filter((name) => /picture$|json$/.test(name))).toEqual([])
  await run.close()
})

test('a run goes on with the jobs of one that was killed, and failures name the photo', async () => {
  const killed = open()
  vi.spyOn(queue, 'changed').mockReturnValueOnce(new Promise(() => {}))
  killed.restore(picture('/results/a.png')).catch(() => {})
  const attempt = await claim()
  const run = open()
  const result = run.restore(picture('/results/a.png'))
  await publish(attempt)
  await queue.succeed(attempt)
  expect((await result).bytes).toEqual(Buffer.from('clean'))
  expect((await queue.counts()).byState).toMatchObject({ queued: 0, running: 0, succeeded: 0 })
  const failing = run.restore(picture('/results/b.png'))
  await queue.fail(await claim(), { code: 'input', message: 'picture: expected a still image' })
  await expect(failing).rejects.toMatchObject({ code: 'input', message: 'photo.png: expected a still image' })
  await run.close()
})

test('a picture that nobody takes is told once, and canceled by an abort', async () => {
  const run = open(0)
  const stopping = new AbortController()
  const result = run.restore(picture('/results/a.png', stopping.signal))
  await expect.poll(() => notices).toHaveLength(1)
  expect(notices[0]).toMatch(/no worker has taken a picture for \d+ s, 1 are queued and 0 computed/)
  stopping.abort()
  await expect(result).rejects.toMatchObject({ code: 'aborted' })
  expect(await queue.counts()).toMatchObject({ byState: { queued: 0, canceled: 0 } })
  await run.close()
})

test('a queue that is away is waited for', async () => {
  const { add } = queue
  queue.add = async () => {
    queue.add = add
    throw new RestoreError('environment', 'queue: cannot be reached')
  }
  const run = open()
  const result = run.restore(picture('/results/a.png'))
  const attempt = await claim()
  await publish(attempt)
  await queue.succeed(attempt)
  expect((await result).bytes).toEqual(Buffer.from('clean'))
  expect(notices).toEqual(['waiting: queue: cannot be reached'])
  await run.close()
})
