// A store in a folder, which several machines may share.

import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { RestoreError } from '../../core/errors.ts'
import { checkRoom, publish, writeAtomic } from '../../files/atomicWrite.ts'
import { codeOf, unwritable } from '../../files/outputErrors.ts'
import { ProblemError } from '../protocol/problems.ts'
import {
  abandonedInputs,
  type ByteRange,
  expiredResults,
  hashUpload,
  type Maker,
  pictureName,
  type Store,
  type StoredFile,
  type StoredReport,
  type StoredResult,
  type SweepOptions,
} from './store.ts'

/** Room that the disk must have. */
const roomBytes = 2 ** 20

/**
 * Inputs by their hash, and results by their address as a picture and a report. The report makes the result: it is
 * the file of the attempt, which a later attempt removes, under its last name.
 */
export class FolderStore implements Store {
  readonly #inputs: string
  readonly #results: string

  /** @throws RestoreError 'output' for a folder that cannot be written */
  constructor(folder: string) {
    this.#inputs = join(folder, 'inputs')
    this.#results = join(folder, 'results')
    try {
      mkdirSync(this.#inputs, { recursive: true })
      mkdirSync(this.#results, { recursive: true })
    } catch (error) {
      throw unwritable(folder, error)
    }
  }

  async putInput(upload: Readable, maxBytes: number): Promise<{ sha256: string; bytes: number }> {
    const temporary = join(this.#inputs, `${randomBytes(12).toString('hex')}.part`)
    try {
      const stored = await writeHashed(temporary, upload, maxBytes)
      await rename(temporary, this.#input(stored.sha256))
      return stored
    } catch (error) {
      await rm(temporary, { force: true })
      throw error instanceof ProblemError || codeOf(error) === undefined ? error : unwritable('upload', error)
    }
  }

  async input(sha256: string): Promise<string> {
    const path = this.#input(sha256)
    if (existsSync(path)) return path
    throw new RestoreError(
      'environment',
      `store: expected the input ${sha256}, got none; every machine has to have the same folder`,
    )
  }

  async begin(maker: Maker): Promise<void> {
    const folder = this.#folder(maker.address)
    await mkdir(folder, { recursive: true })
    const prefix = attemptPrefix(maker)
    for (const name of await readdir(folder))
      if (name.startsWith(prefix) && Number(name.slice(prefix.length)) < maker.fence)
        await rm(join(folder, name), { force: true })
    await writeFile(this.#attempt(maker), '')
  }

  async publish(maker: Maker, picture: Uint8Array, report: StoredReport): Promise<boolean> {
    const { address } = maker
    const attempt = this.#attempt(maker)
    await writeOnce(join(this.#folder(address), pictureName(address, report)), picture)
    try {
      // The file is not made here: where it is missing, another attempt has removed it.
      const file = await open(attempt, 'r+')
      try {
        await file.writeFile(JSON.stringify(report))
        await file.sync()
      } finally {
        await file.close()
      }
      publish(attempt, this.#report(address), false)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      if (!(await this.find(address))) throw error
    }
    await rm(attempt, { force: true })
    return true
  }

  async find(address: string): Promise<StoredResult | undefined> {
    try {
      const report: StoredReport = JSON.parse(await readFile(this.#report(address), 'utf8'))
      const picture = join(this.#folder(address), pictureName(address, report))
      return { report, open: (range?: ByteRange) => createReadStream(picture, range) }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async delete(address: string): Promise<void> {
    const folder = this.#folder(address)
    await rm(this.#report(address), { force: true })
    for (const name of await readdir(folder).catch(() => []))
      if (name.startsWith(`${address}.`)) await rm(join(folder, name), { force: true })
  }

  async sweep(options: SweepOptions): Promise<void> {
    const now = Date.now()
    for (const { name } of abandonedInputs(await filesIn(this.#inputs, now), options))
      await rm(this.#input(name), { force: true })
    for (const address of expiredResults(await filesIn(this.#results, now), options))
      await this.delete(address)
  }

  async check(): Promise<void> {
    checkRoom(this.#inputs, roomBytes)
  }

  #input(sha256: string): string {
    return join(this.#inputs, sha256)
  }

  #folder(address: string): string {
    return join(this.#results, address.slice(0, 2))
  }

  #report(address: string): string {
    return join(this.#folder(address), `${address}.json`)
  }

  #attempt(maker: Maker): string {
    return join(this.#folder(maker.address), attemptPrefix(maker) + maker.fence)
  }
}

/** Names of the attempts at a job, without their number. */
function attemptPrefix({ address, job }: Maker): string {
  return `${address}.${createHash('sha256').update(job).digest('hex').slice(0, 16)}.`
}

async function writeHashed(
  path: string,
  upload: Readable,
  maxBytes: number,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const file = await open(path, 'wx')
  try {
    const hashed = await hashUpload(upload, maxBytes, (part) => file.write(part))
    await file.sync()
    return hashed
  } finally {
    await file.close()
  }
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

async function filesIn(folder: string, now: number): Promise<readonly StoredFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(async ({ name, parentPath }) => {
      const found = await stat(join(parentPath, name)).catch(() => undefined)
      return found && { name, bytes: found.size, ageMs: now - found.mtimeMs }
    })
  return (await Promise.all(files)).filter((file) => file !== undefined)
}
