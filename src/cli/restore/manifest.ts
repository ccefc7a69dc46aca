// What has been written into a folder of results: one line for each event, appended as it happens, so that a run that was killed at
// any moment can go on without losing a file or doing one twice. A result is announced with its hash before it appears.

import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { messageOf, RestoreError } from '../../core/errors.ts'
import type { Job } from '../outputPlan.ts'

export const manifestName = '.limpid-restore.jsonl'

type Line =
  | { readonly process: number; readonly settings: object }
  | { readonly writing: string; readonly sha256: string; readonly input: string }
  | { readonly done: string }
  | { readonly end: number }

interface Entry {
  readonly sha256: string
  /** Size and time of the input. */
  readonly input: string
  isDone: boolean
}

export class Manifest {
  readonly #path: string
  readonly #entries: Map<string, Entry>

  private constructor(path: string, entries: Map<string, Entry>) {
    this.#path = path
    this.#entries = entries
  }

  /** Opens that of a folder, to go on or from the start; one process at a time. */
  static open(folder: string, settings: object, { resume }: { readonly resume: boolean }): Manifest {
    const path = join(folder, manifestName)
    const lines = readLines(path)
    refuseOther(folder, lines)
    const starts = lines.flatMap((line) => ('settings' in line ? [line.settings] : []))
    const before = starts.at(-1)
    if (resume && before) refuseSettings(folder, before, settings)
    try {
      mkdirSync(folder, { recursive: true })
      const start = `${JSON.stringify({ process: process.pid, settings } satisfies Line)}\n`
      // A line that was cut short by a kill is ended first.
      if (resume) appendFileSync(path, `${isCut(path) ? '\n' : ''}${start}`)
      else writeFileSync(path, start)
    } catch (error) {
      const reason = messageOf(error)
      throw new RestoreError('output', `${folder}: cannot be written to (${reason})`, { cause: error })
    }
    return new Manifest(path, resume ? entriesOf(lines) : new Map())
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

  /** Whether what stands in the place of a result was written by a run before, and not by others. */
  isOwn(job: Job): boolean {
    const entry = this.#entries.get(job.name)
    return entry !== undefined && existsSync(job.output) && hashOf(readFileSync(job.output)) === entry.sha256
  }

  /** Tells what is about to appear. */
  announce(job: Job, bytes: Uint8Array): void {
    const entry = { sha256: hashOf(bytes), input: stampOf(job.path) }
    this.#entries.set(job.name, { ...entry, isDone: false })
    this.#append({ writing: job.name, ...entry })
  }

  finish(job: Job): void {
    this.#append({ done: job.name })
  }

  /** Gives the folder free for another process. */
  close(): void {
    this.#append({ end: process.pid })
  }

  #append(line: Line): void {
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`)
  }
}

/** Removes what a killed process left half written of these files. */
export function removeLeftovers(files: readonly string[]): void {
  const wanted = new Set(files)
  for (const folder of new Set(files.map((path) => dirname(path)))) {
    if (!existsSync(folder)) continue
    for (const name of readdirSync(folder)) {
      const own = /^\.(.+)\.[0-9a-f]{12}\.tmp$/.exec(name)?.[1]
      if (own !== undefined && wanted.has(join(folder, own))) rmSync(join(folder, name), { force: true })
    }
  }
}

function readLines(path: string): readonly Line[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text) => {
      try {
        return [JSON.parse(text) as Line]
      } catch {
        return []
      }
    })
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

function refuseOther(folder: string, lines: readonly Line[]): void {
  const last = lines.findLast((line) => 'process' in line || 'end' in line)
  if (!last || !('process' in last) || last.process === process.pid || !isAlive(last.process)) return
  throw new RestoreError(
    'output',
    `${folder}: process ${last.process} is restoring into it; wait for it, or give another folder`,
  )
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
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
