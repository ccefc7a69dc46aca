// The log of a folder of results: one line for each event, appended as it happens, so that a run that was killed
// at any moment continues without losing a file or doing one twice. A result is announced with its hash before
// it appears.

import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { writeAtomicSync } from '../../files/atomicWrite.ts'
import { type Lock, takeLock } from '../../files/lock.ts'
import { unwritable } from '../../files/outputErrors.ts'
import type { Job } from '../io/outputPlan.ts'

export const manifestName = '.limpid-restore.jsonl'
const lockName = '.limpid-restore.lock'

type Line =
  | { readonly settings: object }
  | { readonly writing: string; readonly sha256: string; readonly input: string }
  | { readonly done: string }

interface Entry {
  readonly sha256: string
  /** Size and time of the input. */
  readonly input: string
  isDone: boolean
}

export class Manifest {
  readonly #path: string
  readonly #entries: Map<string, Entry>
  readonly #lock: Lock

  private constructor(path: string, entries: Map<string, Entry>, lock: Lock) {
    this.#path = path
    this.#entries = entries
    this.#lock = lock
  }

  /** Opens the manifest of a folder, to go on or from the start; for one process at a time. */
  static open(folder: string, settings: object, { resume }: { readonly resume: boolean }): Manifest {
    const path = join(folder, manifestName)
    const lock = takeLock(join(folder, lockName), { what: folder, work: 'restoring into it' })
    try {
      const lines = readLines(path)
      const begun = lines.flatMap((line) => ('settings' in line ? [line.settings] : [])).at(-1)
      if (resume && begun) refuseSettings(folder, begun, settings)
      const start = `${JSON.stringify({ settings } satisfies Line)}\n`
      // A line that was cut short by a kill is ended first.
      if (resume) append(path, `${isCut(path) ? '\n' : ''}${start}`)
      else writeAtomicSync(path, [Buffer.from(start)], { overwrite: true })
      return new Manifest(path, resume ? entriesOf(lines) : new Map(), lock)
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** Whether the result of a job is there, whole and of the input as it is now. */
  isDone(job: Job): boolean {
    const entry = this.#entries.get(job.name)
    if (!entry || entry.input !== stampOf(job.path) || !existsSync(job.output)) return false
    if (entry.isDone) return true
    // Killed between the appearance of a result and the line that says so.
    if (hashOf(readFileSync(job.output)) !== entry.sha256) return false
    this.#append({ done: job.name })
    entry.isDone = true
    return true
  }

  /** Whether what stands in the place of a result was written by an earlier run, and not by others. */
  isOwn(job: Job): boolean {
    const entry = this.#entries.get(job.name)
    return entry !== undefined && existsSync(job.output) && hashOf(readFileSync(job.output)) === entry.sha256
  }

  /** Notes what is about to appear. */
  announce(job: Job, bytes: Uint8Array): void {
    const entry = { sha256: hashOf(bytes), input: stampOf(job.path) }
    this.#entries.set(job.name, { ...entry, isDone: false })
    this.#append({ writing: job.name, ...entry })
  }

  finish(job: Job): void {
    this.#append({ done: job.name })
  }

  /** Frees the folder for another process. */
  close(): void {
    this.#lock.release()
  }

  #append(line: Line): void {
    append(this.#path, `${JSON.stringify(line)}\n`)
  }
}

function append(path: string, text: string): void {
  try {
    appendFileSync(path, text)
  } catch (error) {
    throw unwritable(path, error)
  }
}

/** The lines that are whole; what a kill cut short is left out. */
function readLines(path: string): readonly Line[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text) => {
      try {
        const value: unknown = JSON.parse(text)
        return isLine(value) ? [value] : []
      } catch {
        return []
      }
    })
}

// Not zod: it takes longer to load than the rest of the command line.
function isLine(value: unknown): value is Line {
  if (typeof value !== 'object' || value === null) return false
  const { settings, writing, sha256, input, done } = value as Partial<Record<string, unknown>>
  if (typeof settings === 'object') return settings !== null
  if (typeof writing === 'string') return typeof sha256 === 'string' && typeof input === 'string'
  return typeof done === 'string'
}

function isCut(path: string): boolean {
  return existsSync(path) && statSync(path).size > 0 && readFileSync(path).at(-1) !== 0x0a
}

function entriesOf(lines: readonly Line[]): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  for (const line of lines) {
    if ('writing' in line) entries.set(line.writing, { ...line, isDone: false })
    const entry = 'done' in line ? entries.get(line.done) : undefined
    if (entry) entry.isDone = true
  }
  return entries
}

function refuseSettings(folder: string, before: object, now: object): void {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])]
  const [differing] = names.filter(
    (name) => JSON.stringify(Reflect.get(before, name)) !== JSON.stringify(Reflect.get(now, name)),
  )
  if (differing === undefined) return
  const told = (settings: object) => JSON.stringify(Reflect.get(settings, differing)) ?? 'none'
  throw new RestoreError(
    'usage',
    `--resume: expected the settings that ${folder} was begun with, ${differing} ${told(before)}, got ${told(now)}; use those, or another folder`,
  )
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.size} ${Math.round(stat.mtimeMs)}` : ''
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
