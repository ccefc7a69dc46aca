// Writes files whole or not at all: a temporary file in the target's folder is flushed to disk, then takes the
// target's name. write-file-atomic does not fit: it always replaces, so two concurrent runs would
// both succeed.

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { alreadyExists, codeOf, unwritable } from './outputErrors.ts'
import { isRunning, machine } from './processes.ts'

export interface AtomicWriteOptions {
  /** Replaces an existing file; otherwise one that exists is an error, whenever it appeared. */
  readonly overwrite: boolean
}

/**
 * Writes a file whole or not at all, from parts of any size one after the other.
 *
 * @throws RestoreError `output` where the file exists and may not be replaced, or cannot be written
 */
export function writeAtomicSync(
  path: string,
  parts: Iterable<Uint8Array>,
  { overwrite }: AtomicWriteOptions,
): void {
  fillAndPublish(path, overwrite, (temporary) => {
    const file = openSync(temporary, 'wx')
    try {
      for (const part of parts) writeFully(file, part)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  })
}

/**
 * Copies a file whole or not at all; where the file system can, both share their blocks.
 *
 * @throws RestoreError `output` like {@link writeAtomicSync}
 */
export function copyAtomicSync(source: string, path: string, { overwrite }: AtomicWriteOptions): void {
  fillAndPublish(path, overwrite, (temporary) => {
    copyFileSync(source, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    // Windows flushes only what is open for writing; elsewhere a copy may be read-only.
    const file = openSync(temporary, process.platform === 'win32' ? 'r+' : 'r')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  })
}

/** Fills a temporary file and gives it its name. */
function fillAndPublish(path: string, overwrite: boolean, fill: (temporary: string) => void): void {
  const temporary = temporaryFor(path)
  try {
    fill(temporary)
    publish(temporary, path, overwrite)
  } catch (error) {
    throw unwritable(path, error)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Like {@link writeAtomicSync}, for servers: the event loop runs while the bytes go to the disk. */
export async function writeAtomic(
  path: string,
  bytes: Uint8Array,
  { overwrite }: AtomicWriteOptions,
): Promise<void> {
  const temporary = temporaryFor(path)
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    publish(temporary, path, overwrite)
  } catch (error) {
    throw unwritable(path, error)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/**
 * Checks that a folder takes a file of some size now, by writing one there and removing it.
 *
 * @throws RestoreError `output` where the disk is full or read-only
 */
export function checkRoom(folder: string, sizeBytes: number): void {
  const temporary = temporaryFor(join(folder, 'any'))
  try {
    const file = openSync(temporary, 'wx')
    try {
      // Zeros may be stored without taking room.
      const part = randomBytes(2 ** 16)
      for (let left = sizeBytes; left > 0; left -= part.length)
        writeFully(file, part.subarray(0, Math.min(left, part.length)))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw unwritable(folder, error)
  } finally {
    rmSync(temporary, { force: true })
  }
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 30))
}

/** Codes by which file systems say that they have no hard links: exFAT, FAT, SMB, some FUSE. */
const withoutLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL', 'EXDEV'])

/**
 * Gives a finished file its name. A rename would replace what is there, a link never does.
 *
 * @throws RestoreError `output` where the name is taken, an error with code ENOENT where the file is gone
 */
export function publish(temporary: string, path: string, overwrite: boolean): void {
  const existing = statSync(path, { throwIfNoEntry: false })
  if (existing && !existing.isFile() && !existing.isDirectory())
    throw new Error('expected a file, got a device or pipe')
  if (overwrite) {
    renameSync(temporary, path)
    return
  }
  try {
    linkSync(temporary, path)
  } catch (error) {
    // NFS repeats a request whose answer was lost: then the link is there, and it is ours.
    if (codeOf(error) === 'EEXIST' && statSync(temporary).nlink > 1) return
    if (codeOf(error) === 'EEXIST') throw alreadyExists(path, error)
    if (!withoutLinks.has(codeOf(error) ?? '')) throw error
    reserve(path)
    try {
      renameSync(temporary, path)
    } catch (renameError) {
      rmSync(path, { force: true })
      throw renameError
    }
  }
}

/** Creates the target empty, so that one process alone replaces it; a kill in between leaves it empty. */
function reserve(path: string): void {
  try {
    closeSync(openSync(path, 'wx'))
  } catch (error) {
    throw codeOf(error) === 'EEXIST' ? alreadyExists(path, error) : error
  }
}

/** Folders that this process has written into. */
const visited = new Set<string>()

/** A name in the target's folder, short for any file system; it tells the owner, for clearing leftovers. */
function temporaryFor(path: string): string {
  const folder = dirname(path)
  const key = resolve(folder)
  if (!visited.has(key)) clearLeftovers(folder)
  visited.add(key)
  return join(folder, `.limpid-${machine()}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`)
}

const namePattern = /^\.limpid-([0-9a-f]{6})-(\d+)-[0-9a-f]{8}\.tmp$/

/** Age after which a temporary file of another machine is deleted. */
const abandonedMs = 24 * 3600_000

/** Removes the temporary files that killed processes left in a folder; those of running ones stay. */
export function clearLeftovers(folder: string): void {
  for (const name of namesIn(folder)) {
    const [, owner, pid] = namePattern.exec(name) ?? []
    if (owner === undefined || Number(pid) === process.pid) continue
    const file = join(folder, name)
    const isDead = owner === machine() && !isRunning({ pid: Number(pid) })
    // Losing a race or lacking permission is harmless.
    if (isDead || ageOf(file) > abandonedMs) attempt(() => rmSync(file, { force: true }))
  }
}

function namesIn(folder: string): readonly string[] {
  return attempt(() => readdirSync(folder)) ?? []
}

function ageOf(file: string): number {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat ? Date.now() - stat.mtimeMs : 0
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
