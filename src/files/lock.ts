// A lock on a folder: a file that names the process which works there. proper-lockfile does not fit:
// it detects a dead owner by a missed heartbeat, and a training blocks the event loop for minutes.

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { RestoreError } from '../core/errors.ts'
import { writeAtomicSync } from './atomicWrite.ts'
import { codeOf, unwritable } from './outputErrors.ts'
import { isRunning, type ProcessIdentity, thisProcess } from './processes.ts'

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
    mkdirSync(dirname(path), { recursive: true })
    const taken = acquire(path)
    if ('release' in taken) return taken
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
    return readFileSync(path, 'utf8')
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
  const { host, pid, start, startedAt } = value as Partial<Record<string, unknown>>
  const isStart = start === undefined || typeof start === 'string'
  return typeof host === 'string' && Number.isInteger(pid) && isStart && typeof startedAt === 'string'
}

/** A process of another host cannot be asked, so that its lock is respected. */
function isHeld(owner: LockOwner): boolean {
  return owner.host !== thisProcess().host || isRunning(owner)
}

function heldBy(owner: LockOwner, path: string, { what, work }: LockWords): RestoreError {
  const { host, pid, startedAt } = owner
  const since = `since ${startedAt.slice(0, 16).replace('T', ' ')} UTC`
  const isHere = host === thisProcess().host
  const who = isHere ? `process ${pid}` : `process ${pid} on host ${host}`
  const advice = isHere ? 'choose another folder' : `delete ${path} if it has ended`
  return new RestoreError('output', `${what}: ${who} is ${work} (${since}); wait for it, or ${advice}`)
}
