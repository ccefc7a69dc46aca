// What a queue costs and what a second worker gains: a folder on one core by `limpid restore`, by one worker, and by two
// on a core each; and small requests beside a server of sharp and fastify alone.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fastify from 'fastify'
import sharp from 'sharp'
import { program } from '../../test/limpid.ts'
import { startRedis } from '../../test/queueServers.ts'
import { numberedPicture, RunningCommand } from './cluster.ts'
import { ServedProgram } from './servedProgram.ts'

const side = 512
const requests = 50
const smallSide = 32

const run = promisify(execFile)

export async function scalingSoak(count = 60): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'limpid-scaling-'))
  const redis = await startRedis()
  try {
    const photos = join(folder, 'photos')
    const warmUp = join(folder, 'warm-up')
    for (const [place, from, to] of [
      [photos, 0, count],
      [warmUp, count, count + 4],
    ] as const) {
      mkdirSync(place)
      for (let i = from; i < to; i++) writeFileSync(join(place, `${i}.png`), await numberedPicture(i, side))
    }
    /** Seconds for the photos, the opening of networks left out. */
    const restore = async (from: string, output: string, ...options: readonly string[]): Promise<number> => {
      const args = [program, 'restore', from, '-o', join(folder, output), '--json', '--quiet', ...options]
      const [command, ...rest] = options.includes('--queue')
        ? [process.execPath, ...args]
        : ['taskset', '-c', '0', process.execPath, ...args]
      const { stdout } = await run(command!, rest, { maxBuffer: 2 ** 26 })
      return JSON.parse(stdout).seconds
    }
    const alone = await restore(photos, 'alone')
    console.error(`one core, no queue: ${alone.toFixed(1)} s`)
    const seconds: number[] = []
    for (const number of [1, 2]) {
      const shared = ['--queue', await redis.fresh(), '--store', join(folder, `store-${number}`)]
      const workers = [0, 1].slice(0, number).map((core) => new RunningCommand(['worker', ...shared], core))
      try {
        await Promise.all(workers.map(({ ready }) => ready))
        await restore(warmUp, `warm-up-${number}`, ...shared)
        seconds.push(await restore(photos, `shared-${number}`, ...shared))
      } finally {
        await Promise.all(workers.map((worker) => worker.end()))
      }
      console.error(`${number} workers: ${seconds.at(-1)?.toFixed(1)} s`)
    }
    const [one = 0, two = 0] = seconds
    return `${count} photos of ${side} × ${side}: \`limpid restore\` on one core ${alone.toFixed(1)} s; one worker ${one.toFixed(1)} s, overhead ${(100 * (one / alone - 1)).toFixed(1)} %; two workers on a core each ${two.toFixed(1)} s, ${(one / two / 2).toFixed(2)} of linear. ${await smallRequests()}`
  } finally {
    await redis.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Time of small requests, one after another. */
async function smallRequests(): Promise<string> {
  const bodies = await Promise.all(Array.from({ length: requests }, (_, i) => numberedPicture(i, smallSide)))
  const post = async (address: string, body: Buffer) => {
    const headers = { 'content-type': 'image/png' }
    const answer = await fetch(address, { method: 'POST', body: new Uint8Array(body), headers })
    if (answer.status !== 200) throw new Error(`${address}: expected 200, got ${answer.status}`)
    await answer.arrayBuffer()
    return answer
  }
  const timed = async (address: string) => {
    await post(address, await numberedPicture(requests, smallSide))
    const started = performance.now()
    const answers: Response[] = []
    for (const body of bodies) answers.push(await post(address, body))
    return { ms: (performance.now() - started) / requests, answers }
  }
  const plain = fastify()
  plain.addContentTypeParser('image/png', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
  plain.post('/', async (request, reply) =>
    reply.type('image/png').send(
      await sharp(request.body as Buffer)
        .png()
        .toBuffer(),
    ),
  )
  const baseline = await timed(await plain.listen({ port: 0 }))
  await plain.close()
  await using server = await ServedProgram.start()
  const served = await timed(`${server.address}/v1/restore`)
  const reports = await Promise.all(
    served.answers.map(async ({ headers }) => {
      const path = headers.get('content-location')!.replace(/result$/, 'report')
      const { info } = (await (await fetch(server.address + path)).json()) as {
        info: { seconds: { read: number; restore: number } }
      }
      return 1000 * (info.seconds.read + info.seconds.restore)
    }),
  )
  const restoring = reports.reduce((sum, ms) => sum + ms, 0) / requests
  return `Requests of ${smallSide} × ${smallSide} one after another: sharp and fastify alone ${baseline.ms.toFixed(1)} ms, \`limpid serve\` ${served.ms.toFixed(1)} ms, of which restoring ${restoring.toFixed(1)} ms`
}
