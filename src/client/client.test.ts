import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../../test/server.ts'
import { createClient, type ServerJob } from '../client.ts'

const folder = mkdtempSync(join(tmpdir(), 'limpid-client-'))
let server: TestServer

beforeAll(async () => {
  server = await startTestServer(folder, {
    limits: { bytes: 1e7, pixelsIn: 4e6, pixelsOut: 8e6, queue: 2, ownerQueue: 2 },
  })
})

afterAll(async () => {
  await server.stop(0)
  rmSync(folder, { recursive: true, force: true })
})

async function picture(side: number): Promise<Blob> {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => 90 + ((i * i * 13) % 71))
  const file = await sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer()
  return new Blob([new Uint8Array(file)], { type: 'image/png' })
}

test('restores a picture, and tells every state of its job', { timeout: 120_000 }, async () => {
  const client = createClient({ address: `${server.address}/` })
  const states: ServerJob['state'][] = []
  const clean = await client.restore(await picture(64), {
    format: 'webp',
    strength: 0.7,
    onProgress: ({ state }) => states.push(state),
  })
  expect(clean.type).toBe('image/webp')
  expect((await sharp(await clean.arrayBuffer()).metadata()).width).toBe(64)
  expect(states.at(-1)).toBe('succeeded')
})

test('tells what is wrong with a picture, which models there are, and how a job was done', async () => {
  const client = createClient({ address: server.address })
  const { findings, untreated } = await client.detect(await picture(64), { damage: 'haze', never: 'noise' })
  expect(findings[0]).toMatchObject({ damage: 'haze', by: ['caller'] })
  expect(untreated.some(({ damage }) => damage === 'noise')).toBe(
    findings.some(({ damage }) => damage === 'noise'),
  )
  expect(await client.models()).toContainEqual(expect.objectContaining({ id: 'light-photo', scale: 1 }))
  const ids = new Set<string>()
  await client.restore(await picture(64), { task: 'photo', onProgress: ({ id }) => ids.add(id) })
  const [id = ''] = ids
  expect(await client.report(id)).toMatchObject({ format: 'png', info: { model: 'light-photo', width: 64 } })
}, 120_000)

test('cancels the job when it is aborted, and deletes it', { timeout: 120_000 }, async () => {
  const client = createClient({ address: server.address })
  const leaving = new AbortController()
  const restoring = client.restore(await picture(900), {
    id: 'left',
    signal: leaving.signal,
    onProgress: ({ state }) => state === 'running' && leaving.abort(),
  })
  await expect(restoring).rejects.toMatchObject({ code: 'aborted' })
  expect(await client.job('left')).toMatchObject({ state: 'canceled' })
  await client.delete('left')
  await expect(client.job('left')).rejects.toMatchObject({ status: 404, code: 'not-found' })
})

test('reports what the server refuses, and pictures that fail', { timeout: 120_000 }, async () => {
  const client = createClient({ address: server.address })
  await expect(client.submit(new Blob(['x']), {})).rejects.toMatchObject({ status: 422, code: 'input' })
  await expect(client.submit(await picture(32), { strength: 7 })).rejects.toThrow('strength')
  const whole = await picture(64)
  const broken = whole.slice(0, whole.size / 2, 'image/png')
  await expect(client.restore(broken)).rejects.toMatchObject({ name: 'RestoreError', code: 'input' })
  const jobs = await Promise.all([client.submit(await picture(901)), client.submit(await picture(902))])
  await expect(client.submit(await picture(40))).rejects.toMatchObject({ status: 429, retryAfterSeconds: 10 })
  for (const { id } of jobs) await client.cancel(id)
})
