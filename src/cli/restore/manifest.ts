// The log of a folder of results: one line for each event, appended as it happens, so that a run that was killed
// at any moment continues without losing a file or doing one twice. A result is announced with its hash before
// it appears.

import { createHash } from 'node:crypto'
import {
  appendFileSync,
  closeSync,
  existsSync,
  fdatasyncSync,
  lstatSync,
  openSync,
  readFileSync,
  statSync,
} from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { writeAtomicSync } from '../../files/atomicWrite.ts'
import { type Lock, takeLock } from '../../files/lock.ts'
import { unwritable } from '../../files/outputErrors.ts'
import { placeKey } from '../io/outputPlan.ts'

export const manifestName = '.limpid-restore.jsonl'
const lockName = '.limpid-restore.lock'

/** A file that a run writes, and the input that it comes from. */
export interface ResultFile {
  readonly path: string
  readonly output: string
}

type Line =
  | { readonly settings: object }
  | { readonly writing: string; readonly sha256: string; readonly input: string; readonly from?: string }
  | { readonly done: string }

interface Entry {
  readonly sha256: string
  /** Size and time of the input. */
  readonly input: string
  /** Place of the input. */
  readonly from?: string
  isDone: boolean
}

interface OpenManifest {
  readonly folder: string
  readonly path: string
  readonly file: number
  /** Results of earlier runs with these settings, and of this one. */
  readonly entries: Map<string, Entry>
  /** Whether results of earlier runs are left as they are. */
  readonly isResumed: boolean
  readonly lock: Lock
}

export class Manifest {
  readonly #opened: OpenManifest

  private constructor(opened: OpenManifest) {
    this.#opened = opened
  }

  /**
   * Opens the manifest of a folder, to go on or from the start; for one process at a time. A start keeps what other
   * runs with the same settings have recorded.
   */
  static open(folder: string, settings: object, { resume }: { readonly resume: boolean }): Manifest {
    const path = join(folder, manifestName)
    const lock = takeLock(join(folder, lockName), { what: folder, work: 'restoring into it' })
    try {
      refuseForeign(path)
      const lines = readLines(path)
      const begun = lines.flatMap((line) => ('settings' in line ? [line.settings] : [])).at(-1)
      const differing = begun && differingSetting(begun, settings)
      if (differing !== undefined && resume) throw otherSettings(folder, differing)
      const isKept = begun !== undefined && differing === undefined
      if (!isKept) writeAtomicSync(path, [], { overwrite: true })
      const file = openToAppend(path)
      const entries = entriesOf(isKept ? lines : [])
      const manifest = new Manifest({ folder, path, file, entries, isResumed: resume, lock })
      manifest.#append({ settings })
      return manifest
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** Whether the result of an input is there, whole and of the input as it is now. */
  isDone(result: ResultFile): boolean {
    const entry = this.#entryOf(result)
    if (
      !this.#opened.isResumed ||
      !entry ||
      entry.input !== stampOf(result.path) ||
      !existsSync(result.output)
    )
      return false
    if (entry.isDone) return true
    // Killed between the appearance of a result and the line that says so.
    if (!isWritten(result, entry)) return false
    this.finish(result)
    return true
  }

  /** Whether what stands in the place of a result was written by an earlier run, and not changed since. */
  isOwn(result: ResultFile): boolean {
    const entry = this.#entryOf(result)
    return entry !== undefined && existsSync(result.output) && isWritten(result, entry)
  }

  /** The input that what stands in the place of a result comes from, where it is another than this one's. */
  otherInput(result: ResultFile): string | undefined {
    const from = this.#entryOf(result)?.from
    return from === placeKey(result.path) ? undefined : from
  }

  /** Notes what is about to appear, of an input with this stamp. */
  announce(result: ResultFile, bytes: Uint8Array, stamp: string): void {
    const entry = { sha256: hashOf(bytes), input: stamp, from: placeKey(result.path) }
    this.#append({ writing: this.#nameOf(result), ...entry })
    // After a power failure a result without its line would be taken for a file of the user.
    fdatasyncSync(this.#opened.file)
    this.#opened.entries.set(this.#nameOf(result), { ...entry, isDone: false })
  }

  finish(result: ResultFile): void {
    const entry = this.#entryOf(result)
    if (entry) entry.isDone = true
    try {
      this.#append({ done: this.#nameOf(result) })
    } catch {
      // The hash that was announced says as much.
    }
  }

  /** Frees the folder for another process. */
  close(): void {
    closeSync(this.#opened.file)
    this.#opened.lock.release()
  }

  /** Begins with the end of the line before, which a full disk or a kill may have cut short. */
  #append(line: Line): void {
    try {
      appendFileSync(this.#opened.file, `\n${JSON.stringify(line)}`)
    } catch (error) {
      throw unwritable(this.#opened.path, error)
    }
  }

  #entryOf(result: ResultFile): Entry | undefined {
    return this.#opened.entries.get(this.#nameOf(result))
  }

  #nameOf({ output }: ResultFile): string {
    return relative(resolve(this.#opened.folder), resolve(output)).split(sep).join('/')
  }
}

/** Refuses a link, pipe or folder of the manifest's name, which Limpid does not make. */
function refuseForeign(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found && !found.isFile())
    throw new RestoreError(
      'output',
      `${path}: expected the file that records what is done, got a link, pipe or folder; remove it`,
    )
}

function openToAppend(path: string): number {
  try {
    return openSync(path, 'a')
  } catch (error) {
    throw unwritable(path, error)
  }
}

/** The lines that are whole; what was cut short is left out. */
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
  const { settings, writing, sha256, input, from, done } = value as Partial<Record<string, unknown>>
  if (typeof settings === 'object') return settings !== null
  const isFrom = from === undefined || typeof from === 'string'
  if (typeof writing === 'string') return typeof sha256 === 'string' && typeof input === 'string' && isFrom
  return typeof done === 'string'
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

interface Difference {
  readonly name: string
  readonly before: unknown
  readonly now: unknown
}

function differingSetting(before: object, now: object): Difference | undefined {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])]
  const [differing] = names.filter(
    (name) => JSON.stringify(Reflect.get(before, name)) !== JSON.stringify(Reflect.get(now, name)),
  )
  if (differing === undefined) return undefined
  return { name: differing, before: Reflect.get(before, differing), now: Reflect.get(now, differing) }
}

function otherSettings(folder: string, { name, before, now }: Difference): RestoreError {
  const told = (value: unknown) => JSON.stringify(value) ?? 'none'
  return new RestoreError(
    'usage',
    `--resume: expected the settings that ${folder} was begun with, ${name} ${told(before)}, got ${told(now)}; use those, or another folder`,
  )
}

/** Size and time of an input, taken before it is read. */
export function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.size} ${Math.round(stat.mtimeMs)}` : ''
}

function isWritten({ output }: ResultFile, { sha256 }: Entry): boolean {
  return hashOf(readFileSync(output)) === sha256
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
