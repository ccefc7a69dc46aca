// What all commands share: results to stdout, everything else to stderr, one sentence and an exit code for an
// error.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { styleText } from 'node:util'
import { type ErrorCode, errorCodes, messageOf, RestoreError } from '../../core/errors.ts'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean | undefined
  readonly quiet?: boolean | undefined
  readonly verbose?: boolean | undefined
}

let isPrinted = false

/** Prints a result: one JSON document with --json, else the text. */
export function printResult({ json }: GlobalOptions, document: object, text: string): void {
  isPrinted = true
  process.stdout.write(`${json ? JSON.stringify(document, null, 2) : text}\n`)
}

/** An input that failed, as documents of all commands have it; without `input` it was the command itself. */
export interface Failure {
  readonly input?: string
  readonly code: ErrorCode
  readonly message: string
}

export function failureOf(error: unknown, input?: string): Failure {
  const code = error instanceof RestoreError ? error.code : 'crash'
  return { ...(input === undefined ? {} : { input }), code, message: messageOf(error) }
}

/** Lists the inputs that failed on stderr; the exit code is 1 then. */
export function printFailures(failures: readonly Failure[], total: number): void {
  if (failures.length === 0) return
  process.stderr.write(`${failures.length} of ${plural(total, 'picture')} failed:\n`)
  for (const { message } of failures) process.stderr.write(`  ${message}\n`)
  process.exitCode = 1
}

/** One progress line on stderr, rewritten in place on a terminal. */
export function reporter({ quiet }: GlobalOptions): {
  show(line: string): void
  /** Takes the line off a terminal, for a result to be printed. */
  clear(): void
  /** Lets the line stay. */
  done(): void
} {
  const isTerminal = process.stderr.isTTY === true
  let shown = ''
  return {
    show(line) {
      if (quiet || line === shown) return
      shown = line
      process.stderr.write(isTerminal ? `\r\u001b[2K${cut(line)}` : `${line}\n`)
    },
    clear() {
      if (!quiet && isTerminal && shown !== '') process.stderr.write('\r\u001b[2K')
      shown = ''
    },
    done() {
      if (!quiet && isTerminal && shown !== '') process.stderr.write('\n')
    },
  }
}

/** What fits on one line of the terminal: a longer one could not be rewritten. */
function cut(line: string): string {
  const columns = process.stderr.columns || 80
  return line.length < columns ? line : `${line.slice(0, columns - 2)}…`
}

/** Seconds as '4.2 s' or '3 min 05 s'. */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

/** The part done, the time gone and the time left. */
export function formatProgress(done: number, total: number, startedMs: number): string {
  const elapsed = (performance.now() - startedMs) / 1000
  const left = done === 0 ? '' : `, ${formatSeconds((elapsed / done) * (total - done))} left`
  return `${done}/${total}, ${formatSeconds(elapsed)}${left}`
}

/** Shows the progress of a set: from two seconds on, twice a second at most. */
export function countImages(progress: ReturnType<typeof reporter>, verb: string, total: number): () => void {
  const started = performance.now()
  let done = 0
  let shownMs = started + 1500
  return () => {
    done++
    if (performance.now() - shownMs < 500) return
    shownMs = performance.now()
    progress.show(`${verb} ${formatProgress(done, total, started)}`)
  }
}

export function red(text: string): string {
  return colored('red', text)
}

export function green(text: string): string {
  return colored('green', text)
}

function colored(color: 'red' | 'green', text: string): string {
  const isPlain = process.env.NO_COLOR !== undefined || process.stderr.isTTY !== true
  return isPlain ? text : styleText(color, text)
}

/**
 * Prints an error as its sentence, with --verbose its stack, with --json also as a document; returns the exit
 * code.
 */
export function reportError(error: unknown, { verbose, json }: GlobalOptions): number {
  const message = messageOf(error)
  // A command that has printed its document has told there what failed.
  if (json && !isPrinted) printResult({ json }, { failures: [failureOf(error)] }, '')
  process.stderr.write(`${red('error:')} ${message}\n`)
  if (verbose && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  if (verbose && error instanceof Error && error.cause instanceof Error)
    process.stderr.write(`${error.cause.stack}\n`)
  return error instanceof RestoreError ? errorCodes[error.code].exit : 1
}

export function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory()
}

/** A count with its noun: '1 picture', '2 pictures'. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** Bytes of a file, or of stdin for '-'. */
export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path === '-' ? 0 : path)
  } catch (error) {
    const reason = messageOf(error)
    throw new RestoreError('input', `${path}: cannot be read (${reason})`, { cause: error })
  }
}
