import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { writeTinyWeights } from '../../../test/batches.ts'
import { unwritable } from '../../files/outputErrors.ts'
import { createRestorer, type Restorer } from '../../runtime/restorer.ts'
import { FolderPage } from './folderPage.ts'
import { Manifest } from './manifest.ts'
import { restoreJobs, type Treatment } from './restoreJobs.ts'
import { RestoreProgress } from './restoreProgress.ts'

/** Whether results fit on the disk. */
const disk = { isFull: false }

vi.mock('../../files/atomicWrite.ts', async (original) => {
  const files = await original<typeof import('../../files/atomicWrite.ts')>()
  const refuse = (path: string) => {
    if (disk.isFull) throw unwritable(path, Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
  }
  const write: typeof files.writeAtomicSync = (path, parts, options) => {
    if (path.endsWith('.png')) refuse(path)
    files.writeAtomicSync(path, parts, options)
  }
  const check: typeof files.checkRoom = (folder, size) => {
    refuse(folder)
    files.checkRoom(folder, size)
  }
  return { ...files, writeAtomicSync: write, checkRoom: check }
})

const dir = mkdtempSync(join(tmpdir(), 'limpid-jobs-'))
let restorer: Restorer
let manifest: Manifest | undefined

beforeAll(async () => {
  writeTinyWeights(join(dir, 'w.safetensors'))
  restorer = await createRestorer({ weights: join(dir, 'w.safetensors'), device: 'cpu', threads: 1 })
})
beforeEach(() => {
  disk.isFull = false
  for (const folder of ['in', 'out']) mkdirSync(join(dir, folder), { recursive: true })
})
afterEach(() => {
  vi.restoreAllMocks()
  manifest?.close()
  for (const folder of ['in', 'out']) rmSync(join(dir, folder), { recursive: true })
})
afterAll(async () => {
  await restorer.close()
  rmSync(dir, { recursive: true, force: true })
})

const treatment: Treatment = { strip: false, compare: false, overwrite: false }

async function photo(name: string, side = 16) {
  const path = join(dir, 'in', name)
  const picture = sharp({ create: { width: side, height: side, channels: 3, background: 'teal' } })
  writeFileSync(path, await picture.png().toBuffer())
  return { path, name, output: join(dir, 'out', name), format: 'png' }
}

/** Opens the folder as a run with --resume does. */
function batch(progress = new RestoreProgress({ quiet: true }), onWritten = () => {}) {
  manifest = Manifest.open(join(dir, 'out'), {}, { resume: true })
  const { signal } = new AbortController()
  return {
    lanes: [restorer, restorer],
    treatment,
    manifest,
    progress,
    ahead: undefined,
    page: undefined,
    signal,
    onWritten,
  }
}

test('nothing is computed while the disk takes no result, and all is gone on with once it does', async () => {
  const jobs = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => photo(`${name}.png`)))
  const run = vi.spyOn(restorer, 'run')
  const options = batch(undefined, () => {
    disk.isFull = true
  })
  const { results, failed } = await restoreJobs(jobs, options)
  // One result is written; those under way fail, the others are not begun.
  expect(run.mock.calls.length).toBeLessThanOrEqual(3)
  expect(results).toHaveLength(1)
  expect(failed.map(({ path }) => path).sort()).toEqual(jobs.slice(1).map(({ path }) => path))
  for (const { error } of failed)
    expect(error).toMatchObject({
      code: 'output',
      message: expect.stringContaining('the disk is full (ENOSPC)'),
    })
  disk.isFull = false
  const todo = jobs.filter((job) => !options.manifest.isDone(job))
  expect((await restoreJobs(todo, { ...options, onWritten: () => {} })).results).toHaveLength(7)
  expect(jobs.every((job) => options.manifest.isDone(job))).toBe(true)
})

test('a disk that is full from the start is told before anything is computed', async () => {
  const options = batch()
  disk.isFull = true
  const run = vi.spyOn(restorer, 'run')
  const { failed } = await restoreJobs([await photo('a.png')], options)
  expect([failed.length, run.mock.calls.length]).toEqual([1, 0])
})

test('a photo that is replaced while it is computed is restored by the next run', async () => {
  const job = await photo('a.png')
  const next = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } })
    .png()
    .toBuffer()
  const progress = new RestoreProgress({ quiet: true })
  vi.spyOn(progress, 'event').mockImplementation((_, { phase }) => {
    if (phase === 'restore') writeFileSync(job.path, next)
  })
  const options = batch(progress)
  await restoreJobs([job], options)
  expect((await sharp(job.output).metadata()).width).toBe(16)
  expect([options.manifest.isDone(job), options.manifest.isOwn(job)]).toEqual([false, true])
  vi.mocked(progress.event).mockRestore()
  await restoreJobs([job], options)
  expect((await sharp(job.output).metadata()).width).toBe(9)
  expect(options.manifest.isDone(job)).toBe(true)
})

test('a page that someone else wrote is not replaced, and one of an earlier run is', async () => {
  const job = await photo('a.png')
  const page = join(dir, 'out/a_compare.html')
  const options = { ...batch(), treatment: { ...treatment, compare: true } }
  await restoreJobs([job], options)
  const first = readFileSync(page, 'utf8')
  rmSync(job.output)
  expect((await restoreJobs([job], options)).failed).toEqual([])
  expect(readFileSync(page, 'utf8')).toBe(first)
  writeFileSync(page, 'mine')
  rmSync(job.output)
  const { failed } = await restoreJobs([job], options)
  expect(failed).toMatchObject([
    { error: { message: expect.stringContaining('a_compare.html: exists already') } },
  ])
  expect([readFileSync(page, 'utf8'), existsSync(job.output)]).toEqual(['mine', false])
})

test('a photo whose small pictures cannot be written is restored, and the page tells of it', async () => {
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  writeFileSync(join(dir, 'page_pictures'), 'in the way')
  const page = new FolderPage(join(dir, 'page.html'), {})
  const { failed, results } = await restoreJobs([await photo('a.png')], { ...batch(), page })
  page.write([])
  expect([failed, results.length]).toEqual([[], 1])
  expect(told.mock.calls.join()).toMatch(/a\.png: .*page\.html shows it without pictures: .*page_pictures/)
  const html = readFileSync(join(dir, 'page.html'), 'utf8')
  expect([html.includes('1 photo changed'), html.includes('<img')]).toEqual([true, false])
})
