// How commands over many inputs end: the document, the inputs that failed, the report and the exit code.

import { type ErrorCode, messageOf, RestoreError } from '../../core/errors.ts'
import { escapeControls } from '../../core/text.ts'
import { type FailedInput, labelOf } from './inputs.ts'
import { type GlobalOptions, jsonText, plural, printLine, printResult } from './shell.ts'
import { type OverwriteOptions, writeResult } from './writeResult.ts'

/** An input that failed, as documents of all commands have it. */
export interface Failure {
  readonly input: string
  /** Page of a document or frame of an animation, from 1. */
  readonly page?: number | undefined
  readonly code: ErrorCode
  readonly message: string
}

export interface Conclusion {
  /** What the command found; the failures are added. */
  readonly document: object
  /** What is printed instead of the document; '' where everything has been printed already. */
  readonly text: string
  readonly failed: readonly FailedInput[]
  /** Number of inputs. */
  readonly total: number
  /** Whether there may be several inputs; the failure of a single one is the command's own. */
  readonly isMany: boolean
  /** Writes what else tells of the run. */
  readonly write?: ((failures: readonly Failure[]) => void) | undefined
}

export interface ReportOptions extends GlobalOptions, OverwriteOptions {
  readonly report?: string | undefined
}

/**
 * Prints the result of a command and what failed, writes the file of --report, and sets the exit code.
 *
 * @throws the error of a single input
 */
export function conclude(
  options: ReportOptions,
  { document, text, failed, total, isMany, write }: Conclusion,
): void {
  const errors = failed.map((one) => nameInput(one.error, labelOf(one)))
  const failures = errors.map(({ code, message }, i): Failure => {
    const { path, page } = failed[i]!
    return { input: path, page, code, message }
  })
  const whole = { ...document, failures }
  if (options.json || text !== '') printResult(options, whole, text)
  if (isMany && failures.length > 0) {
    printLine(`${failures.length} of ${plural(total, 'picture')} failed:`)
    for (const { message } of failures) printLine(`  ${message}`)
    process.exitCode = 1
  }
  const own = isMany ? undefined : errors[0]
  try {
    // Last, since the disk may be full.
    if (options.report !== undefined) writeResult(options.report, jsonText(whole), options)
    write?.(failures)
  } catch (error) {
    throw own ?? error
  }
  if (own) throw own
}

/** Words for a place that the name of the input replaces. */
const place = /^(compute|image|output|restore): /

/** An error that names the input it is about. */
export function nameInput(error: unknown, input: string): RestoreError {
  const code = error instanceof RestoreError ? error.code : 'crash'
  const message = messageOf(error)
  // A name without a dot may be a word of the sentence.
  const told = escapeControls(input, { keepsLines: true })
  const isNamed = message.startsWith(`${told}:`) || (/[./]/.test(told) && message.includes(told))
  if (error instanceof RestoreError && isNamed) return error
  return new RestoreError(code, `${input}: ${message.replace(place, '')}`, { cause: error })
}
