// The command line: parses, calls, prints.

import { existsSync } from 'node:fs'
import { CommanderError } from '@commander-js/extra-typings'
import { errorCodes, RestoreError } from '../core/errors.ts'
import { nearestName } from '../core/unknownName.ts'
import { unwritable } from '../files/outputErrors.ts'
import { buildProgram } from './buildProgram.ts'
import { stripped } from './commands/restore.ts'
import { signalExitCode } from './io/interrupts.ts'
import { reportError } from './io/shell.ts'

// A reader such as `head` may leave before the end; the command ends by itself, or has ended.
for (const [name, stream] of [
  ['stdout', process.stdout],
  ['stderr', process.stderr],
] as const)
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exit(reportError(unwritable(name, error), {}))
  })

const program = buildProgram()
try {
  await program.parseAsync(withStripped(process.argv))
} catch (error) {
  // Options that come after a mistake are not parsed.
  const options = { ...program.opts(), json: process.argv.includes('--json') }
  // Help and version are thrown too, after they were printed; help that was not requested is wrong usage.
  const isHelp = error instanceof CommanderError && /help|version/i.test(error.code)
  if (isHelp) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    const code = reportError(error instanceof CommanderError ? usageError(error) : error, options)
    process.exitCode = code === errorCodes.aborted.exit ? (signalExitCode() ?? code) : code
  }
}

/** Completes `--strip` without a value, which would take the input after it for one. */
function withStripped(argv: readonly string[]): string[] {
  // A word near to one of them is that with a typo, which is refused, unless it is a file.
  const isWhat = (text = '') =>
    stripped.some((what) => what === text) || (nearestName(text, stripped) !== '' && !existsSync(text))
  return argv.map((text, i) => (text === '--strip' && !isWhat(argv[i + 1]) ? '--strip=all' : text))
}

/** Converts Commander's message to the form of other errors. */
function usageError({ message }: CommanderError): RestoreError {
  const sentence = message
    .replace(/^error: /, '')
    .replace(/\s*\(Did you mean (?:one of )?(.*)\?\)/s, '; did you mean $1?')
    .replace(
      /^missing required argument '(.*)'$/,
      (_, name) => `expected ${name.toUpperCase()}, got none; see --help`,
    )
    .replace(
      /^(?:required )?option '(?:-\w, )?(--[a-z-]+) <(.*)>' (?:not specified|argument missing)$/,
      (_, option, name) => `${option}: expected ${name.toUpperCase()}, got none; see --help`,
    )
    .replace(/^(unknown (?:option|command) '[^']*')$/, '$1; see --help')
    .replace(
      /^too many arguments for '(.*)'. Expected (\d+) arguments? but got (\d+)\.$/,
      '$1: expected $2 arguments, got $3; see --help',
    )
    .trim()
  return new RestoreError('usage', sentence)
}
