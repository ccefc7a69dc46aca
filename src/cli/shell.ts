// What all commands share: results to stdout, everything else to stderr, one sentence and an exit code for an error.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { styleText } from 'node:util'
import { errorCodes, messageOf, RestoreError } from '../core/errors.ts'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

/** Prints a result: one JSON document with --json, else the text. */
export function printResult({ json }: GlobalOptions, document: object, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(document, null, 2) : text}\n`)
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

/** Tells how far a set is: from two seconds on, twice a second at most. */
export function countImages(progress: ReturnType<typeof reporter>, verb: string, total: number): () => void {
  const started = performance.now()
  let [done, shownMs] = [0, started + 1500]
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

/** Prints an error as its sentence (and stack with --verbose) and returns the exit code. */
export function reportError(error: unknown, { verbose }: GlobalOptions): number {
  const message = messageOf(error)
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

/** A JSON object given on the command line. */
export function parseObject(option: string, text: string | undefined): object {
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // falls through to the one message
  }
  throw new RestoreError('usage', `${option}: expected a JSON object such as '{"dim":48}', got ${text}`)
}

/** A whole number in a range, given on the command line. */
export function parseWhole(option: string, text: string, minimum: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= minimum) return value
  throw new RestoreError('usage', `${option}: expected a whole number of at least ${minimum}, got ${text}`)
}

/** What JPEG, WebP and AVIF are written with, from the command line; the codec's own unless given. */
export function parseQuality(text: string | undefined): { readonly quality?: number } {
  if (text === undefined) return {}
  const quality = Number(text)
  if (Number.isInteger(quality) && quality >= 1 && quality <= 100) return { quality }
  throw new RestoreError('usage', `--quality: expected a whole number from 1 to 100, got ${text}`)
}

/** Most pixels to decode, from megapixels on the command line; the codec's own limit unless given. */
export function parsePixelLimit(text: string | undefined): { readonly pixelLimit?: number } {
  if (text === undefined) return {}
  const megapixels = Number(text)
  if (megapixels > 0 && Number.isFinite(megapixels)) return { pixelLimit: megapixels * 1e6 }
  throw new RestoreError('usage', `--pixel-limit: expected megapixels above 0, got ${text}`)
}
