import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FakeS3, startFakeS3 } from '../../../test/fakeS3.ts'
import { FolderStore } from './folderStore.ts'
import { S3Store } from './s3Store.ts'
import type { Maker, Store, StoredReport } from './store.ts'

let s3: FakeS3
const folder = mkdtempSync(join(tmpdir(), 'limpid-store-'))

beforeAll(async () => {
  s3 = await startFakeS3()
})

afterAll(() => {
  s3.stop()
  rmSync(folder, { recursive: true, force: true })
})

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

const reportOf = (picture: string) =>
  ({ format: 'png', bytes: picture.length, sha256: hashOf(picture), info: {} }) as unknown as StoredReport

const hourMs = 3600_000

/** Stores with how their files grow old. */
const stores: [name: string, open: () => { store: Store; age: (ms: number) => void }][] = [
  [
    'a folder',
    () => ({
      store: new FolderStore(folder),
      age(ms) {
        const then = new Date(Date.now() - ms)
        for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
          if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), then, then)
      },
    }),
  ],
  [
    'a bucket',
    () => ({
      store: new S3Store('s3://photos/limpid'),
      age(ms) {
        for (const name of s3.objects.keys()) s3.age(name, ms)
      },
    }),
  ],
]

describe.for(stores)('%s', ([, open]) => {
  const { store, age } = beforeOpen(open)

  const publish = (maker: Maker, picture: string) =>
    store().publish(maker, Buffer.from(picture), reportOf(picture))

  async function pictureAt(address: string, range?: { start: number; end: number }) {
    const found = await store().find(address)
    return found && (await buffer(found.open(range))).toString()
  }

  test('keeps uploads under their hash, and refuses too large ones', async () => {
    const { sha256, bytes } = await store().putInput(Readable.from([Buffer.from('ab'), Buffer.from('c')]), 3)
    expect({ sha256, bytes }).toEqual({ sha256: hashOf('abc'), bytes: 3 })
    const input = await store().input(sha256)
    if (typeof input !== 'string') expect(Buffer.from(input).toString()).toBe('abc')
    await expect(store().putInput(Readable.from([Buffer.from('abcd')]), 3)).rejects.toThrow('body: expected')
    await store().check()
  })

  test('lets no attempt publish that another has followed', async () => {
    const address = hashOf('late')
    const [first, second] = [1, 2].map((fence) => ({ address, job: 'ann/a', fence })) as [Maker, Maker]
    await store().begin(first)
    await store().begin(second)
    expect(await publish(first, 'late')).toBe(false)
    expect(await store().find(address)).toBeUndefined()
    expect(await publish(second, 'second')).toBe(true)
    expect(await publish(first, 'late')).toBe(false)
    expect(await pictureAt(address)).toBe('second')
    expect(await pictureAt(address, { start: 1, end: 3 })).toBe('eco')
  })

  test('keeps one result of several jobs and of attempts at the same time', async () => {
    const address = hashOf('many')
    const makers = Array.from({ length: 8 }, (_, i) => ({ address, job: `ann/${i}`, fence: 1 }))
    await Promise.all(makers.map((maker) => store().begin(maker)))
    const published = makers.map((maker) => publish(maker, maker.job))
    expect(await Promise.all(published)).toEqual(makers.map(() => true))
    const found = await store().find(address)
    expect(hashOf((await pictureAt(address)) ?? '')).toBe(found?.report.sha256)
  })

  test('forgets what no job refers to, and the oldest results above the quota', async () => {
    const addresses = ['old', 'new', 'lost'].map(hashOf)
    const [old = '', recent = '', lost = ''] = addresses
    for (const address of [old, lost]) {
      await store().begin({ address, job: 'ann/a', fence: 1 })
      await publish({ address, job: 'ann/a', fence: 1 }, 'x'.repeat(1000))
    }
    age(2 * hourMs)
    await store().begin({ address: recent, job: 'ann/b', fence: 1 })
    await publish({ address: recent, job: 'ann/b', fence: 1 }, 'y'.repeat(1000))
    const results = new Set([old, recent])
    await store().sweep({ inputs: new Set(), results, quotaBytes: 1e6 })
    expect(await store().find(lost)).toBeUndefined()
    expect(await store().find(old)).toBeDefined()
    await store().sweep({ inputs: new Set(), results, quotaBytes: 1500 })
    expect(await store().find(old)).toBeUndefined()
    expect(await pictureAt(recent)).toBe('y'.repeat(1000))
    await store().delete(recent)
    expect(await store().find(recent)).toBeUndefined()
  })
})

/** Opens a store once the fake S3 has started. */
function beforeOpen(open: (typeof stores)[number][1]) {
  let opened: ReturnType<typeof open>
  beforeAll(() => {
    opened = open()
  })
  return { store: () => opened.store, age: (ms: number) => opened.age(ms) }
}

test('names a bucket that is not there', async () => {
  expect(() => new S3Store('s3://')).toThrow('--store: expected s3://bucket')
  await expect(new S3Store('s3://nosuch').check()).rejects.toThrow('--store: expected the bucket nosuch')
})
