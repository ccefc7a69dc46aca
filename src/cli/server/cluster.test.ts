// Fronts and workers as processes, with real servers of queues between them.

import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FakeS3, startFakeS3 } from '../../../test/fakeS3.ts'
import { limpid } from '../../../test/limpid.ts'
import {
  freePort,
  hasPostgres,
  hasRedis,
  type QueueServer,
  startPostgres,
  startRedis,
} from '../../../test/queueServers.ts'
import { killStarted, startProgram } from '../../../test/startedProgram.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-cluster-'))

afterAll(() => {
  killStarted()
  rmSync(dir, { recursive: true, force: true })
})

async function noise(side: number): Promise<Buffer> {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * i * 31) % 251)
  return sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer()
}

/** Reports of results in a store; there is one for each result. */
function reportsIn(store: string): readonly string[] {
  const names = readdirSync(join(store, 'results'), { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.json'))
}

/** Machines that share a queue and a store, with leases of two seconds. */
class Cluster {
  readonly #shared: readonly string[]
  #front = ''

  constructor(queue: string, store: string) {
    this.#shared = ['--queue', queue, '--store', store, '--lease', '2s', '--drain', '60s']
  }

  async startFront(): Promise<void> {
    const { address } = await startProgram<{ address: string }>('serve', '--port', '0', ...this.#shared)
    this.#front = address
  }

  startWorker(...args: readonly string[]) {
    const rest = ['--metrics-port', '0', ...args]
    return startProgram<{ address: string }>('worker', ...this.#shared, ...rest)
  }

  put(id: string, body: Buffer, query = ''): Promise<Response> {
    const headers = { 'content-type': 'image/png' }
    return fetch(`${this.#front}/v1/jobs/${id}${query}`, { method: 'PUT', body, headers })
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(this.#front + path, init)
  }

  async job(id: string): Promise<{ state: string; attempts: number }> {
    return (await (await this.fetch(`/v1/jobs/${id}`)).json()) as { state: string; attempts: number }
  }

  /** Waits until a job is in some state. */
  until(id: string, expected: { state: string; attempts?: number }): Promise<void> {
    return expect.poll(() => this.job(id), { timeout: 120_000 }).toMatchObject(expected)
  }
}

describe.skipIf(!hasRedis)('machines that share a Redis', { timeout: 300_000 }, () => {
  let redis: QueueServer

  beforeAll(async () => {
    redis = await startRedis()
  })

  afterAll(() => redis.remove())

  test('take the jobs of their models, and report their health', async () => {
    const cluster = new Cluster(await redis.fresh(), join(dir, 'models'))
    await cluster.startFront()
    const worker = await cluster.startWorker('--models', 'light-tone')
    await cluster.put('tone', await noise(48), '?task=tone')
    await cluster.put('photo', await noise(48))
    await cluster.until('tone', { state: 'succeeded', attempts: 1 })
    expect(await cluster.job('photo')).toMatchObject({ state: 'queued', position: 0 })
    await cluster.startWorker()
    await cluster.until('photo', { state: 'succeeded' })
    const result = await cluster.fetch('/v1/jobs/photo/result')
    expect((await sharp(Buffer.from(await result.arrayBuffer())).metadata()).width).toBe(48)
    expect(await (await fetch(`${worker.address}/readyz`)).json()).toEqual({ ready: true, faults: [] })
    const metrics = await (await fetch(`${worker.address}/metrics`)).text()
    expect(metrics).toContain('limpid_jobs_total{state="succeeded",model="light-tone"} 1')
    worker.child.kill('SIGTERM')
    expect((await once(worker.child, 'exit'))[0]).toBe(0)
    expect(await (await cluster.fetch('/v1/restore', { method: 'POST' })).json()).toMatchObject({
      status: 415,
    })
  })

  test('give a job one result when its worker is killed twice', async () => {
    const store = join(dir, 'killed')
    const cluster = new Cluster(await redis.fresh(), store)
    await cluster.startFront()
    let worker = await cluster.startWorker()
    await cluster.put('big', await noise(500))
    for (const attempts of [1, 2]) {
      await cluster.until('big', { state: 'running', attempts })
      worker.child.kill('SIGKILL')
      worker = await cluster.startWorker()
    }
    await cluster.until('big', { state: 'succeeded', attempts: 3 })
    expect(reportsIn(store)).toHaveLength(1)
  })

  test('leave the result alone when a worker that was away comes back', async () => {
    const store = join(dir, 'late')
    const cluster = new Cluster(await redis.fresh(), store)
    await cluster.startFront()
    const late = await cluster.startWorker()
    await cluster.put('big', await noise(500))
    await cluster.until('big', { state: 'running', attempts: 1 })
    late.child.kill('SIGSTOP')
    await cluster.startWorker()
    await cluster.until('big', { state: 'succeeded', attempts: 2 })
    const etag = async () => (await cluster.fetch('/v1/jobs/big/result')).headers.get('etag')
    const first = await etag()
    late.child.kill('SIGCONT')
    // It takes jobs again, once it has noticed.
    await expect.poll(async () => (await fetch(`${late.address}/readyz`)).status).toBe(200)
    late.child.kill('SIGTERM')
    expect((await once(late.child, 'exit'))[0]).toBe(0)
    expect(await cluster.job('big')).toMatchObject({ state: 'succeeded', attempts: 2 })
    expect(await etag()).toBe(first)
    expect(reportsIn(store)).toHaveLength(1)
  })

  test('cancel a job that runs elsewhere', async () => {
    const cluster = new Cluster(await redis.fresh(), join(dir, 'canceled'))
    await cluster.startFront()
    const worker = await cluster.startWorker()
    await cluster.put('big', await noise(1200))
    await cluster.until('big', { state: 'running' })
    const canceled = await cluster.fetch('/v1/jobs/big/cancel', { method: 'POST' })
    expect(await canceled.json()).toMatchObject({ state: 'canceled' })
    await cluster.put('next', await noise(48))
    await cluster.until('next', { state: 'succeeded' })
    expect(await cluster.job('big')).toMatchObject({ state: 'canceled' })
    worker.child.kill('SIGKILL')
  })
})

describe.skipIf(!hasRedis)('a Redis that goes away', { timeout: 300_000 }, () => {
  test('loses no job, and is answered as unavailable meanwhile', async () => {
    const redis = await startRedis()
    const cluster = new Cluster(redis.address, join(dir, 'away'))
    await cluster.startFront()
    await cluster.put('waiting', await noise(48))
    const worker = await cluster.startWorker('--models', 'light-tone')
    await redis.stop('SIGKILL')
    await expect.poll(async () => (await cluster.fetch('/v1/jobs/waiting')).status).toBe(503)
    expect((await cluster.fetch('/readyz')).status).toBe(503)
    expect((await cluster.fetch('/healthz')).status).toBe(200)
    await redis.start()
    await cluster.until('waiting', { state: 'queued' })
    await cluster.put('tone', await noise(48), '?task=tone')
    // The worker was there when Redis went away.
    await cluster.until('tone', { state: 'succeeded' })
    await cluster.startWorker()
    await cluster.until('waiting', { state: 'succeeded' })
    worker.child.kill('SIGKILL')
    await redis.remove()
  })

  test('is named when it is not there at the start, or may delete jobs', async () => {
    const nowhere = `redis://:secret@127.0.0.1:${await freePort()}`
    const absent = await limpid('worker', '--queue', nowhere, '--store', join(dir, 'absent'))
    expect(absent).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/--queue: expected an answer.*ECONNREFUSED/),
    })
    expect(absent.stderr).not.toContain('secret')
    const forgetful = await startRedis(['--maxmemory-policy', 'allkeys-lru'])
    const refused = await limpid('serve', '--queue', forgetful.address, '--store', join(dir, 'forgetful'))
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('noeviction, got allkeys-lru') })
    await forgetful.remove()
  })
})

describe.skipIf(!hasPostgres)('machines that share a PostgreSQL and a bucket', { timeout: 300_000 }, () => {
  let postgres: QueueServer
  let s3: FakeS3

  beforeAll(async () => {
    postgres = await startPostgres()
    s3 = await startFakeS3()
  })

  afterAll(async () => {
    s3.stop()
    await postgres.remove()
  })

  test('give a job one result when its worker is killed, and PostgreSQL is restarted', async () => {
    const cluster = new Cluster(await postgres.fresh(), 's3://photos')
    await cluster.startFront()
    const worker = await cluster.startWorker()
    await cluster.put('big', await noise(500))
    await cluster.until('big', { state: 'running', attempts: 1 })
    worker.child.kill('SIGKILL')
    await postgres.stop('SIGINT')
    await expect.poll(async () => (await cluster.fetch('/readyz')).status).toBe(503)
    await postgres.start()
    await cluster.startWorker()
    await cluster.until('big', { state: 'succeeded', attempts: 2 })
    const part = await cluster.fetch('/v1/jobs/big/result', { headers: { range: 'bytes=1-3' } })
    expect(await part.text()).toBe('PNG')
    expect([...s3.objects.keys()].filter((name) => name.endsWith('.json'))).toHaveLength(1)
  })
})

test('a worker names settings that are missing or wrong', async () => {
  const alone = await limpid('worker')
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining('--queue: expected redis://') })
  const half = await limpid('worker', '--queue', 'redis://127.0.0.1')
  expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('--queue, --store: expected both') })
  const shared = ['--queue', 'redis://127.0.0.1', '--store', dir]
  const unknown = await limpid('worker', ...shared, '--models', 'light-tone,nosuch')
  expect(unknown).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("unknown model of --models 'nosuch'"),
  })
})
