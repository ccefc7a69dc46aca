// What all commands share: results to stdout, everything else to stderr, one sentence and an exit code for an
// error.

import { existsSync, statSync } from 'node:fs'
import { styleText } from 'node:util'
import { errorCodes, messageOf, RestoreError } from '../../core/errors.ts'
import { escapeControls } from '../../core/text.ts'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean | undefined
  readonly quiet?: boolean | undefined
  readonly verbose?: boolean | undefined
}

let isPrinted = false

/** Prints a result: one JSON document with --json, else the text; `hasMarks` colors those of checks. */
export function printResult(
  { json }: GlobalOptions,
  document: object,
  text: string,
  { hasMarks = false } = {},
): void {
  isPrinted = true
  const shown = `${onTerminal(text, { keepsLines: true })}
`
  process.stdout.write(json ? jsonText(document) : hasMarks ? colorMarks(shown) : shown)
}

/** Prints the names of results, each on a line, as they are for a pipe and escaped for a terminal. */
export function printPaths(paths: readonly string[]): void {
  for (const path of paths) process.stdout.write(`${onTerminal(path)}\n`)
}

/** A document as JSON that a terminal may show: text in it is the same after parsing. */
export function jsonText(document: object): string {
  return `${escapeControls(JSON.stringify(document, null, 2), { keepsLines: true, isJson: true })}\n`
}

/** Text for stdout, which may hold any name; a pipe receives it as it is, as from `ls`. */
function onTerminal(text: string, options: { readonly keepsLines?: boolean } = {}): string {
  return process.stdout.isTTY ? escapeControls(text, options) : text
}

/** Colors the marks that lines of a list of checks begin with. */
function colorMarks(text: string): string {
  return text.replace(/^(?:ok|missing|wrong)\b/gm, (mark) => colored(mark === 'ok' ? 'green' : 'red', mark))
}

/** Prints a line on stderr, above the progress. */
export function printLine(line: string): void {
  process.stderr.write(`${escapeControls(line)}\n`)
}

/** Prints what was left out or converted on stderr, even with --quiet, since it is part of the result. */
export function printNotes(name: string, notes: readonly string[] = []): void {
  for (const note of notes) printLine(`${name}: ${note}`)
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
      process.stderr.write(
        isTerminal ? `\r\u001b[2K${cut(escapeControls(line))}` : `${escapeControls(line)}\n`,
      )
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
  const code = error instanceof RestoreError ? error.code : 'crash'
  if (json && !isPrinted) printResult({ json }, { failures: [{ code, message }] }, '')
  const print = (text: string) => process.stderr.write(`${escapeControls(text, { keepsLines: true })}\n`)
  process.stderr.write(`${colored('red', 'error:')} `)
  print(message)
  if (verbose && error instanceof Error) print(String(error.stack))
  if (verbose && error instanceof Error && error.cause instanceof Error) print(String(error.cause.stack))
  return errorCodes[code].exit
}

export function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory()
}

/** A count with its noun: '1 picture', '2 pictures'. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
