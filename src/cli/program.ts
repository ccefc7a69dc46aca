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
  // Help and version are thrown too, after they were printed; help that was not requested is wrong usage.
  const isHelp = error instanceof CommanderError && /help|version/i.test(error.code)
  if (isHelp) process.exitCode = error.exitCode === 0 ? 0 : 2
  else process.exitCode = reportError(error instanceof CommanderError ? usageError(error) : error, options)
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
