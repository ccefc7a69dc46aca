// Workers, fronts and the queue's server are killed at random moments while jobs are done: every accepted job ends, with
// exactly one result unless three attempts were interrupted, which happens no more often than the kills explain.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '../../src/client.ts'
import { counterRandom } from '../../src/core/random.ts'
import { interrupted } from '../../src/server/jobs/job.ts'
import { freePort, type QueueServer, startPostgres, startRedis } from '../../test/queueServers.ts'
import { numberedPicture, RunningCommand } from './cluster.ts'

const jobs = 200
const side = 32

/** Time for which the queue's server is away, longer than workers wait for a job. */
const awayMs = 6000

export async function killsSoak(times = 20): Promise<string> {
  const told = []
  for (const [name, start] of [
    ['Redis', startRedis],
    ['PostgreSQL', startPostgres],
  ] as const) {
    await using server = await disposable(start())
    told.push(`${name}: ${await killAll(server, times)}`)
  }
  return `${jobs} jobs, two workers and a front with leases of 3 s, each killed ${times} times, and the queue's server ${times} times for ${awayMs / 1000} s. ${told.join('. ')}`
}

async function killAll(server: QueueServer, times: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'limpid-kills-'))
  const shared = ['--queue', server.address, '--store', folder, '--lease', '3s']
  const port = await freePort()
  const limits = ['--queue-limit', String(2 * jobs), '--queue-per-key', String(2 * jobs)]
  const front = new RunningCommand(['serve', '--port', String(port), '--no-app', ...limits, ...shared])
  const workers = [1, 2].map(() => new RunningCommand(['worker', ...shared]))
  const random = counterRandom(7)
  const client = createClient({ address: `http://127.0.0.1:${port}` })
  try {
    await Promise.all([front, ...workers].map(({ ready }) => ready))
    const killing = (async () => {
      const kill = [
        ...workers.map((worker) => () => worker.restart()),
        () => front.restart(),
        async () => {
          await server.stop('SIGKILL')
          await sleep(awayMs)
          await server.start()
        },
      ]
      const due = kill.flatMap((one) => Array.from({ length: times }, () => one))
      while (due.length > 0) {
        await sleep(random.integer(4000))
        const [one] = due.splice(random.integer(due.length), 1)
        await one?.()
        console.error(`${server.address}: ${due.length} kills to come`)
      }
    })()
    const ids = Array.from({ length: jobs }, (_, i) => `job-${i}`)
    for (const [i, id] of ids.entries())
      await again(async () => {
        const body = new Uint8Array(await numberedPicture(i, side))
        const headers = { 'content-type': 'image/png' }
        const answer = await fetch(`http://127.0.0.1:${port}/v1/jobs/${id}`, { method: 'PUT', body, headers })
        if (answer.status !== 202) throw new Error(`${id}: expected 202, got ${answer.status}`)
      })
    await killing
    let attempts = 0
    let succeeded = 0
    for (const id of ids) {
      const job = await again(async () => {
        const found = await client.job(id)
        const isGivenUp = found.error?.message === interrupted
        if (found.state === 'failed' && !isGivenUp) throw new Lost(`${id}: ${found.error?.message}`)
        if (found.state === 'succeeded' || isGivenUp) return found
        throw new Error(`${id}: ${found.state}`)
      })
      attempts += job.attempts
      if (job.state === 'succeeded') succeeded++
    }
    // A kill of a worker interrupts one attempt, and a kill of the queue's server one of each worker.
    const mostInterrupted = 2 * workers.length * times
    const failed = jobs - succeeded
    if (3 * failed > mostInterrupted)
      throw new Error(
        `expected at most ${mostInterrupted} interrupted attempts, got ${failed} jobs of three each`,
      )
    const reports = readdirSync(join(folder, 'results'), { recursive: true, encoding: 'utf8' })
    const results = reports.filter((name) => name.endsWith('.json')).length
    if (results !== succeeded) throw new Error(`expected ${succeeded} results, got ${results}`)
    return `${succeeded} succeeded and ${failed} failed after three interrupted attempts each, ${attempts} attempts, ${results} results`
  } finally {
    await Promise.all([front, ...workers].map((one) => one.end('SIGKILL')))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A job that failed for another reason. */
class Lost extends Error {}

/** Does something until it succeeds, for as long as anything may be away. */
async function again<T>(action: () => Promise<T>): Promise<T> {
  for (const started = Date.now(); ; await sleep(300)) {
    try {
      return await action()
    } catch (error) {
      if (error instanceof Lost || Date.now() - started > 300_000) throw error
    }
  }
}

async function disposable(starting: Promise<QueueServer>): Promise<QueueServer & AsyncDisposable> {
  const server = await starting
  return { ...server, [Symbol.asyncDispose]: () => server.remove() }
}
