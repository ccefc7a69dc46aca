// The command line: parses, calls, prints.

import { CommanderError } from '@commander-js/extra-typings'
import { RestoreError } from '../core/errors.ts'
import { buildProgram } from './buildProgram.ts'
import { reportError } from './io/shell.ts'

// A reader such as `head` may leave before the end; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const program = buildProgram()
try {
  await program.parseAsync()
} catch (error) {
  // Options that come after a mistake are not parsed.
  const options = { ...program.opts(), json: process.argv.includes('--json') }
  // Help and version are thrown too, when they have been printed; help that nobody asked for is wrong usage.
  const isHelp = error instanceof CommanderError && /help|version/i.test(error.code)
  if (isHelp) process.exitCode = error.exitCode === 0 ? 0 : 2
  else process.exitCode = reportError(error instanceof CommanderError ? usageError(error) : error, options)
}

/** Commander's message as a sentence of ours. */
function usageError({ message }: CommanderError): RestoreError {
  const sentence = message
    .replace(/^error: /, '')
    .replace(/\s*\(Did you mean (?:one of )?(.*)\?\)/s, '; did you mean $1?')
    .replace(
      /^missing required argument '(.*)'$/,
      (_, name) => `expected ${name.toUpperCase()}, got none; see --help`,
    )
    .replace(
      /^required option '(?:-\w, )?(--[a-z-]+) <(.*)>' not specified$/,
      '$1: expected $2, got none; see --help',
    )
    .replace(/^option '(?:-\w, )?(--[a-z-]+) <(.*)>' argument missing$/, '$1: expected $2, got none')
    .replace(
      /^too many arguments for '(.*)'. Expected (\d+) arguments? but got (\d+)\.$/,
      '$1: expected $2 arguments, got $3; see --help',
    )
    .trim()
  return new RestoreError('usage', sentence)
}
