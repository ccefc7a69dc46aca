// A lock on a folder: a file that names the process which works there. proper-lockfile does not fit:
// it detects a dead owner by a missed heartbeat, and a training blocks the event loop for minutes.

import { createHash, randomBytes } from 'node:crypto'
import { lstatSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { RestoreError } from '../core/errors.ts'
import { writeAtomicSync } from './atomicWrite.ts'
import { makeFolder } from './folders.ts'
import { codeOf, unwritable } from './outputErrors.ts'
import { isHere, isRunning, type ProcessIdentity, thisProcess } from './processes.ts'

/** Content of a lock file. */
export interface LockOwner extends ProcessIdentity {
  /** ISO time. */
  readonly startedAt: string
}

export interface LockWords {
  /** What is locked, as the user named it, such as `--out runs/mine`. */
  readonly what: string
  /** What its owner does, such as `training there`. */
  readonly work: string
}

export interface Lock {
  /** Removes the lock, unless it is no longer this one. */
  release(): void
}

/**
 * Takes a lock for this process, making its folder; the lock of a process that has ended is taken over.
 *
 * @throws RestoreError `output` where a running process holds it, or one of another host, which cannot be asked
 */
export function takeLock(path: string, { what, work }: LockWords): Lock {
  try {
    makeFolder(dirname(path))
    const taken = acquire(path)
    if ('release' in taken) return taken
    throw heldBy(taken, path, { what, work })
  } catch (error) {
    throw unwritable(what, error)
  }
}

/**
 * Like {@link takeLock}, but says who holds the lock if a running process of this machine does.
 *
 * @throws RestoreError `output` where a process of another host holds it, which cannot be asked
 */
export function takeLockIfFree(path: string, { what, work }: LockWords): Lock | string {
  try {
    const taken = acquire(path)
    if ('release' in taken) return taken
    if (isHere(taken)) return `${what}: process ${taken.pid} is ${work}`
    throw heldBy(taken, path, { what, work })
  } catch (error) {
    throw unwritable(what, error)
  }
}

/** How long a lock without an owner may be one that is being written. */
const patienceMs = 1000

/** The lock, or who holds it. */
function acquire(path: string): Lock | LockOwner {
  const own: LockOwner = { ...thisProcess(), startedAt: new Date().toISOString() }
  const text = `${JSON.stringify({ ...own, token: randomBytes(8).toString('hex') })}\n`
  const lock = { release: () => release(path, text) }
  const deadline = performance.now() + patienceMs
  for (let attempt = 0; attempt < 500; attempt++) {
    if (create(path, text)) return lock
    const found = contentOf(path)
    const other = found === undefined ? undefined : parseOwner(found)
    if (other && isHeld(other)) return other
    // Without an owner it is being written, or was cut short by a power failure.
    const isStale = found !== undefined && (other !== undefined || performance.now() > deadline)
    if (isStale && takeOver(path, { found, text })) return lock
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs)
  }
  throw new RestoreError('output', `${path}: expected a lock file that can be taken, got none; delete it`)
}

const pauseMs = 20

function create(path: string, text: string): boolean {
  try {
    writeAtomicSync(path, [Buffer.from(text)], { overwrite: false })
    return true
  } catch (error) {
    if (error instanceof RestoreError && codeOf(error.cause) === 'EEXIST') return false
    throw error
  }
}

/**
 * Replaces the lock of a dead process; false where a contender was faster. Two locks could replace it one
 * after the other, so only the holder of a second lock may, whose name belongs to the content of the first.
 */
function takeOver(path: string, { found, text }: { readonly found: string; readonly text: string }): boolean {
  const turn = acquire(`${path}.${createHash('sha256').update(found).digest('hex').slice(0, 12)}`)
  if (!('release' in turn)) return false
  try {
    if (contentOf(path) !== found) return false
    writeAtomicSync(path, [Buffer.from(text)], { overwrite: true })
    return true
  } finally {
    turn.release()
  }
}

function release(path: string, text: string): void {
  if (contentOf(path) === text) rmSync(path, { force: true })
}

function contentOf(path: string): string | undefined {
  try {
    // A link or a pipe of this name is no lock of ours.
    return lstatSync(path).isFile() ? readFileSync(path, 'utf8') : ''
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isOwner(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isOwner(value: unknown): value is LockOwner {
  if (typeof value !== 'object' || value === null) return false
  const { host, machine, pid, start, startedAt } = value as Partial<Record<string, unknown>>
  const areTexts = [machine, start].every((text) => text === undefined || typeof text === 'string')
  return typeof host === 'string' && isPid(pid) && areTexts && typeof startedAt === 'string'
}

/** Numbers from 0 down stand for groups of processes. */
function isPid(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) > 0
}

/** A process of another host or container cannot be looked up, so that its lock is respected. */
function isHeld(owner: LockOwner): boolean {
  return !isHere(owner) || isRunning(owner)
}

function heldBy(owner: LockOwner, path: string, { what, work }: LockWords): RestoreError {
  const { pid, startedAt } = owner
  const since = `since ${startedAt.slice(0, 16).replace('T', ' ')} UTC`
  const advice = isHere(owner) ? 'choose another folder' : `delete ${path} if it has ended`
  return new RestoreError(
    'output',
    `${what}: process ${pid}${placeOf(owner)} is ${work} (${since}); wait for it, or ${advice}`,
  )
}

function placeOf(owner: LockOwner): string {
  if (isHere(owner)) return ''
  return owner.host === thisProcess().host
    ? ` in another container on host ${owner.host}`
    : ` on host ${owner.host}`
}
