// Fronts and workers as processes, with real servers of queues between them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FakeS3, startFakeS3 } from '../../../test/fakeS3.ts'
import { limpid, program } from '../../../test/limpid.ts'
import { hasNamespaces, NetworkHost } from '../../../test/networkHost.ts'
import {
  freePort,
  hasPostgres,
  hasRedis,
  type QueueServer,
  startPostgres,
  startRedis,
} from '../../../test/queueServers.ts'
import { killStarted, startBehind, startProgram } from '../../../test/startedProgram.ts'
import { ClusterQueue } from '../../server/jobs/clusterQueue.ts'

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

  /** Starts a worker on a host that reaches the queue by another address. */
  startElsewhere({ prefix, address }: NetworkHost) {
    const shared = this.#shared.map((one) => one.replace('127.0.0.1', address))
    return startBehind<{ address: string }>(prefix, 'worker', ...shared)
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

  test('restore a folder as one machine does, though it is stopped and one of them killed', async () => {
    const address = await redis.fresh()
    const store = join(dir, 'folder')
    const photos = join(dir, 'photos')
    mkdirSync(photos)
    for (const side of [300, 310, 40]) writeFileSync(join(photos, `${side}.png`), await noise(side))
    writeFileSync(join(photos, 'none.png'), 'no picture')
    const restore = (output: string, ...options: readonly string[]) =>
      ['restore', photos, '-o', join(dir, output), '--strip', 'all', '--resume', ...options] as const
    const shared = restore('shared', '--queue', address, '--store', store)
    const queue = await ClusterQueue.open({ address })
    const counts = async () => (await queue.counts()).byState
    const stopped = spawn(process.execPath, [program, ...shared], { stdio: 'ignore' })
    await expect.poll(counts, { timeout: 60_000 }).toMatchObject({ queued: 4 })
    stopped.kill('SIGINT')
    expect((await once(stopped, 'exit'))[0]).toBe(130)
    expect(await counts()).toMatchObject({ queued: 0 })
    const cluster = new Cluster(address, store)
    const worker = await cluster.startWorker()
    await cluster.startWorker()
    const running = limpid(...shared, '--json')
    await expect.poll(counts, { timeout: 60_000 }).toMatchObject({ running: 2 })
    worker.child.kill('SIGKILL')
    const [many, one] = [await running, await limpid(...restore('alone', '--json'))]
    expect([many.code, one.code]).toEqual([1, 1])
    const [document, expected] = [many, one].map(({ stdout }) => JSON.parse(stdout))
    expect(document.failures).toEqual(expected.failures)
    expect(many.stderr).toContain('restored 3 pictures, 0.2 MP in')
    for (const name of ['300.png', '310.png', '40.png'])
      expect(readFileSync(join(dir, 'shared', name))).toEqual(readFileSync(join(dir, 'alone', name)))
    // Nothing is left behind, and a run on this machine goes on with what workers did.
    expect(await counts()).toMatchObject({ queued: 0, running: 0, succeeded: 0, failed: 0 })
    expect(reportsIn(store)).toEqual([])
    expect(JSON.parse((await limpid(...restore('shared', '--json'))).stdout)).toMatchObject({ skipped: 3 })
    await queue.close()
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

  test.each<[string, (redis: QueueServer) => unknown]>([
    ['that is gone', (redis) => redis.stop('SIGKILL')],
    ['that does not answer', (redis) => redis.freeze()],
  ])('and %s keeps no worker from ending, whose job another does once', async (kind, leave) => {
    const redis = await startRedis()
    const store = join(dir, kind)
    const cluster = new Cluster(redis.address, store)
    await cluster.startFront()
    const busy = await cluster.startWorker('--drain', '1s')
    await cluster.put('big', await noise(500))
    await cluster.until('big', { state: 'running', attempts: 1 })
    const idle = await cluster.startWorker('--models', 'light-tone')
    await leave(redis)
    const ended = [busy, idle].map(({ child }) => once(child, 'exit'))
    for (const { child } of [busy, idle]) child.kill('SIGTERM')
    expect((await Promise.all(ended)).map(([code]) => code)).toEqual([0, 0])
    await redis.start()
    await cluster.startWorker()
    await cluster.until('big', { state: 'succeeded' })
    // A slow machine may lose the second lease, too.
    expect((await cluster.job('big')).attempts).toBeGreaterThan(1)
    expect(reportsIn(store)).toHaveLength(1)
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

describe.skipIf(!hasRedis || !hasNamespaces)('a host that is cut off', { timeout: 300_000 }, () => {
  test('for longer than its lease changes nothing when it is back, and takes jobs again', async () => {
    const host = new NetworkHost()
    const redis = await startRedis(['--bind', '127.0.0.1', host.address, '--protected-mode', 'no'])
    const store = join(dir, 'cut')
    const cluster = new Cluster(redis.address, store)
    try {
      await cluster.startFront()
      const late = await cluster.startElsewhere(host)
      await cluster.put('big', await noise(500))
      await cluster.until('big', { state: 'running', attempts: 1 })
      host.cut()
      const worker = await cluster.startWorker()
      await cluster.until('big', { state: 'succeeded', attempts: 2 })
      const etag = async () => (await cluster.fetch('/v1/jobs/big/result')).headers.get('etag')
      const first = await etag()
      worker.child.kill('SIGKILL')
      host.mend()
      await cluster.put('next', await noise(48))
      await cluster.until('next', { state: 'succeeded', attempts: 1 })
      expect(await cluster.job('big')).toMatchObject({ state: 'succeeded', attempts: 2 })
      expect(await etag()).toBe(first)
      expect(reportsIn(store)).toHaveLength(2)
      late.child.kill('SIGKILL')
    } finally {
      await redis.remove()
      host.remove()
    }
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

test('restore refuses what workers cannot do, and a store that cannot be written', async () => {
  const photo = join(dir, 'photo.png')
  writeFileSync(photo, await noise(16))
  const queue = ['--queue', 'redis://127.0.0.1:1']
  const tiled = await limpid('restore', photo, ...queue, '--store', dir, '--tile', '64')
  expect(tiled).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--tile: expected options that workers'),
  })
  const closed = await limpid('restore', photo, ...queue, '--store', '/dev/null/store')
  expect(closed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('/dev/null/store: cannot be written'),
  })
  const away = await limpid('restore', photo, ...queue, '--store', dir)
  expect(away).toMatchObject({ code: 3, stderr: expect.stringContaining('--queue: expected an answer') })
})
