// A store in a folder, which several machines may share.

import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdirSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { checkRoom, writeAtomic } from '../../files/atomicWrite.ts'
import { codeOf, unwritable } from '../../files/outputErrors.ts'
import { ProblemError } from '../protocol/problems.ts'
import type { ByteRange, Store, StoredReport, StoredResult, SweepOptions } from './store.ts'

/** Age from which an upload that no job refers to was abandoned. */
const abandonedMs = 3600_000

/** Room that the disk must have. */
const roomBytes = 2 ** 20

/** Inputs by their hash, and results by their address as a picture and a report, which is written last. */
export class FolderStore implements Store {
  readonly #inputs: string
  readonly #results: string

  constructor(folder: string) {
    this.#inputs = join(folder, 'inputs')
    this.#results = join(folder, 'results')
    mkdirSync(this.#inputs, { recursive: true })
    mkdirSync(this.#results, { recursive: true })
  }

  async putInput(upload: Readable, maxBytes: number): Promise<{ sha256: string; bytes: number }> {
    const temporary = join(this.#inputs, `${randomBytes(12).toString('hex')}.part`)
    try {
      const { sha256, bytes } = await writeHashed(temporary, upload, maxBytes)
      await rename(temporary, this.#input(sha256))
      return { sha256, bytes }
    } catch (error) {
      await rm(temporary, { force: true })
      throw error instanceof ProblemError || codeOf(error) === undefined ? error : unwritable('upload', error)
    }
  }

  async input(sha256: string): Promise<string> {
    return this.#input(sha256)
  }

  async publish(address: string, picture: Uint8Array, report: StoredReport): Promise<void> {
    const files = this.#files(address)
    await mkdir(files.folder, { recursive: true })
    const text = new TextEncoder().encode(JSON.stringify(report))
    await writeOnce(files.picture, picture)
    await writeOnce(files.report, text)
  }

  async find(address: string): Promise<StoredResult | undefined> {
    const { picture, report } = this.#files(address)
    try {
      const parsed: StoredReport = JSON.parse(await readFile(report, 'utf8'))
      return { report: parsed, open: (range?: ByteRange) => createReadStream(picture, range) }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async delete(address: string): Promise<void> {
    const { picture, report } = this.#files(address)
    await rm(report, { force: true })
    await rm(picture, { force: true })
  }

  async sweep({ inputs, results, quotaBytes }: SweepOptions): Promise<void> {
    const now = Date.now()
    for (const { name, ageMs, path } of await filesIn(this.#inputs, now))
      if (!inputs.has(name) && ageMs > abandonedMs) await rm(path, { force: true })
    const stored = (await filesIn(this.#results, now)).map((file) => ({
      ...file,
      address: file.name.replace(/\.\w+$/, ''),
    }))
    for (const { address, ageMs } of stored)
      if (!results.has(address) && ageMs > abandonedMs) await this.delete(address)
    const kept = stored.filter(({ address }) => results.has(address))
    let total = kept.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { address, bytes } of kept.toSorted((a, b) => b.ageMs - a.ageMs)) {
      if (total <= quotaBytes) return
      await this.delete(address)
      total -= bytes
    }
  }

  async check(): Promise<void> {
    checkRoom(this.#inputs, roomBytes)
  }

  #input(sha256: string): string {
    return join(this.#inputs, sha256)
  }

  #files(address: string) {
    const folder = join(this.#results, address.slice(0, 2))
    return {
      folder,
      picture: join(folder, `${address}.picture`),
      report: join(folder, `${address}.json`),
    }
  }
}

async function writeHashed(
  path: string,
  upload: Readable,
  maxBytes: number,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'wx')
  try {
    for await (const chunk of upload as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes)
        throw new ProblemError(
          'too-large',
          `body: expected at most ${maxBytes / 1e6} MB, got more; send a smaller file`,
        )
      hash.update(chunk)
      await file.write(chunk)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { sha256: hash.digest('hex'), bytes }
}

/** Writes a file, or leaves the one that another attempt has written. */
async function writeOnce(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeAtomic(path, bytes, { overwrite: false })
  } catch (error) {
    if ((await stat(path).catch(() => undefined))?.isFile()) return
    throw error
  }
}

interface StoredFile {
  readonly name: string
  readonly path: string
  readonly bytes: number
  readonly ageMs: number
}

async function filesIn(folder: string, now: number): Promise<readonly StoredFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => {
      const path = join(entry.parentPath, entry.name)
      const found = await stat(path).catch(() => undefined)
      return found && { name: entry.name, path, bytes: found.size, ageMs: now - found.mtimeMs }
    })
  return (await Promise.all(files)).filter((file) => file !== undefined)
}
