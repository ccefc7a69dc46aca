import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  hasPostgres,
  hasRedis,
  type QueueServer,
  startPostgres,
  startRedis,
} from '../../../test/queueServers.ts'
import { ClusterQueue } from './clusterQueue.ts'
import { EmbeddedQueue, type EmbeddedQueueOptions } from './embeddedQueue.ts'
import type { JobQueue, NewJob } from './job.ts'

const limits = { total: 100, owner: 100 }
const hourMs = 3600_000
const lost = { code: 'crash', message: 'restore: lost' } as const

function jobOf(id: string, rest: Partial<NewJob> = {}): NewJob {
  const job: NewJob = {
    id,
    owner: 'ann',
    settings: { format: 'png' },
    model: 'light-photo',
    input: `input of ${id}`,
    address: `result of ${id}`,
    priority: 0,
    requestKey: undefined,
    webhook: undefined,
    requestHash: id,
  }
  return { ...job, ...rest }
}

/** Where the jobs of a test are; each opening of a queue finds those of the others. */
interface Place {
  open(options?: EmbeddedQueueOptions): Promise<JobQueue>
  /** Lets time pass. */
  pass(ms: number): Promise<void>
  remove(): Promise<void>
}

async function embedded(): Promise<Place> {
  // Only the time of the process counts, so it is set.
  vi.useFakeTimers({ toFake: ['Date'] })
  const folder = mkdtempSync(join(tmpdir(), 'limpid-queue-'))
  return {
    open: (options) => EmbeddedQueue.open(folder, options),
    async pass(ms) {
      vi.setSystemTime(Date.now() + ms)
    },
    async remove() {
      vi.useRealTimers()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function cluster(server: QueueServer): Promise<Place> {
  const address = await server.fresh()
  return {
    open: (options) => ClusterQueue.open({ address, ...options }),
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 400) + 20)),
    remove: async () => {},
  }
}

const kinds: [name: string, isThere: boolean, start?: () => Promise<QueueServer>][] = [
  ['embedded', true],
  ['on Redis', hasRedis, startRedis],
  ['on PostgreSQL', hasPostgres, startPostgres],
]

describe.for(kinds.filter(([, isThere]) => isThere))('the queue %s', ([, , start]) => {
  let server: QueueServer | undefined
  let place: Place
  let queue: JobQueue

  beforeAll(async () => {
    server = await start?.()
  })

  afterAll(() => server?.remove())

  beforeEach(async () => {
    place = await (server ? cluster(server) : embedded())
    queue = await place.open()
  })

  afterEach(async () => {
    await queue.close()
    await place.remove()
  })

  /** Opens the queue again with other options. */
  async function reopen(options?: EmbeddedQueueOptions) {
    await queue.close()
    queue = await place.open(options)
  }

  /** Claims a job; one whose lease has ended may be found at a later look. */
  async function claimed(from = queue) {
    for (let looks = 0; looks < 50; looks++) {
      const attempt = await from.claim()
      if (attempt) return attempt
      await place.pass(0)
    }
    throw new Error('expected a job')
  }

  async function stateOf(id: string, owner = 'ann') {
    return (await queue.find(owner, id))?.state
  }

  test('keeps jobs when it is opened again', async () => {
    await queue.add(jobOf('a', { settings: { format: 'jpeg', strength: 0.5 } }), limits)
    await reopen()
    const { job } = await claimed()
    expect(job).toMatchObject({ id: 'a', state: 'running', attempts: 1, settings: { strength: 0.5 } })
    expect(job.requestKey).toBeUndefined()
  })

  test('gives one job to a request that is repeated, and refuses another under its key or id', async () => {
    const first = await queue.add(jobOf('x', { requestKey: 'k', requestHash: 'h' }), limits)
    expect(first).toMatchObject({ kind: 'added', isNew: true })
    const again = await queue.add(jobOf('y', { requestKey: 'k', requestHash: 'h' }), limits)
    expect(again).toEqual({ ...first, isNew: false })
    const other = jobOf('z', { requestKey: 'k', requestHash: 'other' })
    expect(await queue.add(other, limits)).toEqual({ kind: 'conflict' })
    await queue.add(jobOf('a'), limits)
    expect(await queue.add(jobOf('a'), limits)).toMatchObject({ kind: 'added', isNew: false })
    const renamed = jobOf('a', { model: 'light-tone', requestHash: 'other' })
    expect(await queue.add(renamed, limits)).toEqual({ kind: 'conflict' })
    expect(await queue.add(jobOf('a', { owner: 'ben', requestHash: 'other' }), limits)).toMatchObject({
      isNew: true,
    })
  })

  test('is full by the jobs of all and of one owner, and has room again when one ends', async () => {
    await queue.add(jobOf('a'), { total: 2, owner: 1 })
    expect(await queue.add(jobOf('b'), { total: 2, owner: 1 })).toEqual({ kind: 'full' })
    await queue.add(jobOf('b', { owner: 'ben' }), { total: 2, owner: 1 })
    expect(await queue.hasRoom('cem', { total: 2, owner: 1 })).toBe(false)
    await queue.succeed(await claimed())
    expect(await queue.hasRoom('cem', { total: 2, owner: 1 })).toBe(true)
  })

  test('takes turns between owners, and prefers higher priorities of each', async () => {
    for (const id of ['a1', 'a2', 'a3']) await queue.add(jobOf(id), limits)
    await queue.add(jobOf('a4', { priority: 5 }), limits)
    for (const id of ['b1', 'b2']) await queue.add(jobOf(id, { owner: 'ben' }), limits)
    const order: string[] = []
    for (let attempt = await queue.claim(); attempt; attempt = await queue.claim()) {
      order.push(attempt.job.id)
      await queue.succeed(attempt)
    }
    expect(order).toEqual(['a4', 'b1', 'a1', 'b2', 'a2', 'a3'])
  })

  test('counts the jobs before a queued one', async () => {
    for (const id of ['a', 'b', 'c']) await queue.add(jobOf(id), limits)
    const job = await queue.find('ann', 'c')
    expect(job && (await queue.position(job))).toBe(2)
  })

  test('gives a job to one process at a time', async () => {
    for (let i = 0; i < 20; i++) await queue.add(jobOf(`j${i}`), limits)
    const other = await place.open()
    const ids: string[] = []
    for (let i = 0; i < 10; i++) ids.push((await claimed()).job.id, (await claimed(other)).job.id)
    expect(new Set(ids).size).toBe(20)
    expect(await other.claim()).toBeUndefined()
    await other.close()
  })

  test('hands an expired attempt to another, and lets the late one change nothing', async () => {
    await reopen({ leaseMs: 400 })
    await queue.add(jobOf('a'), limits)
    const late = await claimed()
    expect(await queue.renew(late, { done: 1, total: 4 })).toBe(true)
    expect(await queue.claim()).toBeUndefined()
    await place.pass(401)
    const second = await claimed()
    expect(second.job.attempts).toBe(2)
    expect(await queue.renew(late, { done: 2, total: 4 })).toBe(false)
    expect(await queue.succeed(late)).toBe(false)
    expect(await queue.fail(late, lost)).toBe(false)
    await queue.release(late)
    expect(await queue.succeed(second)).toBe(true)
    expect(await stateOf('a')).toBe('succeeded')
  })

  test('fails a job whose attempts are all interrupted', async () => {
    await reopen({ leaseMs: 1, maxAttempts: 2 })
    await queue.add(jobOf('a'), limits)
    for (let i = 0; i < 2; i++) {
      await claimed()
      await place.pass(2)
    }
    const look = async () => (await queue.claim()) ?? queue.find('ann', 'a')
    await expect.poll(look).toMatchObject({ state: 'failed', error: { code: 'crash' } })
  })

  test('tries again after a delay, and fails after the last attempt', async () => {
    await reopen({ maxAttempts: 2, retryMs: 400 })
    await queue.add(jobOf('a'), limits)
    await queue.retry(await claimed(), lost)
    expect(await queue.claim()).toBeUndefined()
    await place.pass(401)
    await queue.retry(await claimed(), lost)
    expect(await queue.find('ann', 'a')).toMatchObject({ state: 'failed', error: lost, attempts: 2 })
  })

  test('does not count an attempt that is put back', async () => {
    await queue.add(jobOf('a'), limits)
    await queue.release(await claimed())
    expect((await claimed()).job.attempts).toBe(1)
  })

  test('cancels a job, which its attempt finds out, and removes what has ended only', async () => {
    await queue.add(jobOf('a'), limits)
    const attempt = await claimed()
    expect(await queue.remove('ann', 'a')).toBe(false)
    expect(await queue.cancel('ben', 'a')).toBeUndefined()
    expect((await queue.cancel('ann', 'a'))?.state).toBe('canceled')
    expect(await queue.renew(attempt, { done: 0, total: 0 })).toBe(false)
    expect(await queue.succeed(attempt)).toBe(false)
    expect(await queue.remove('ann', 'a')).toBe(true)
    expect(await stateOf('a')).toBeUndefined()
  })

  test('gives workers only jobs of their models', async () => {
    await queue.add(jobOf('a'), limits)
    expect(await queue.claim(['restormer'])).toBeUndefined()
    expect((await queue.claim(['restormer', 'light-photo']))?.job.id).toBe('a')
    await queue.add(jobOf('b', { model: 'light-photo + light-tone' }), limits)
    expect(await queue.claim(['light-photo'])).toBeUndefined()
    expect((await queue.claim(['light-tone', 'light-photo']))?.job.id).toBe('b')
  })

  test('adds what comes at once, each job once', async () => {
    const ids = Array.from({ length: 40 }, (_, i) => `many${i % 20}`)
    const added = await Promise.all(ids.map((id) => queue.add(jobOf(id), limits)))
    expect(added.filter((one) => one.kind === 'added' && one.isNew)).toHaveLength(20)
    expect((await queue.counts()).byState.queued).toBe(20)
  })

  test('tells at once who waits for a change or for a job, here or by another opening', async () => {
    await queue.add(jobOf('a'), limits)
    const job = await queue.find('ann', 'a')
    const other = await place.open()
    const waiting = Promise.all(
      [queue, other].flatMap((one) => [
        job && one.changed(job, 60_000),
        one.available(60_000, new AbortController().signal),
      ]),
    )
    await queue.cancel('ann', 'a')
    await queue.add(jobOf('b'), limits)
    await waiting
    // A change that came before the wait is not waited for.
    await (job && queue.changed(job, 60_000))
    await other.close()
  })

  test('keeps webhooks of ended jobs until they are settled or given up, over a restart', async () => {
    const webhook = 'https://example.org/hook'
    await queue.add(jobOf('a', { webhook }), limits)
    await queue.add(jobOf('silent'), limits)
    expect(await queue.claimWebhook([hourMs])).toBeUndefined()
    for (const _ of 'ab') await queue.succeed(await claimed())
    const due = () => queue.claimWebhook([0])
    await expect
      .poll(() => queue.claimWebhook([hourMs]))
      .toMatchObject({ id: 'a', webhook, state: 'succeeded' })
    await queue.add(jobOf('b', { webhook }), limits)
    await queue.succeed(await claimed())
    await expect.poll(due).toMatchObject({ id: 'b' })
    await reopen()
    // The last attempt.
    await expect.poll(due).toMatchObject({ id: 'b' })
    expect(await due()).toBeUndefined()
    await queue.addSucceeded(jobOf('c', { webhook }))
    await expect.poll(due).toMatchObject({ id: 'c' })
    const told = await queue.find('ann', 'c')
    if (told) await queue.settleWebhook(told)
    expect(await due()).toBeUndefined()
  })

  test('sweeps jobs that ended long ago, and tells what the others refer to', async () => {
    for (const id of ['a', 'b']) await queue.add(jobOf(id), limits)
    await queue.addSucceeded(jobOf('c'))
    await queue.succeed(await claimed())
    expect((await queue.references()).inputs).toEqual(new Set(['input of b']))
    await queue.sweep(Date.now() + 1)
    expect(await stateOf('a')).toBeUndefined()
    expect((await queue.references()).results).toEqual(new Set(['result of b']))
    expect(await queue.refersTo('ann', 'result of b')).toBe(true)
    expect(await queue.refersTo('ann', 'result of a')).toBe(false)
    expect(await queue.refersTo('bob', 'result of b')).toBe(false)
    expect((await queue.counts()).byState).toMatchObject({ queued: 1, succeeded: 0 })
  })
})
