// Runs the command line from the sources, in a process of its own.

import { execFile } from 'node:child_process'

/** Arguments for Node to run a TypeScript script; the command line by default. */
export function nodeArguments(script = 'src/cli/main.ts'): readonly string[] {
  return ['--import', 'tsx', script]
}

export interface Outcome {
  /** -1 if it was ended by a signal. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script and resolves with its outcome, whether it succeeds or fails. */
export function runScript(script: string | undefined, ...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const command = [...nodeArguments(script), ...args]
    execFile(process.execPath, command, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : -1
      resolve({ code: error ? code : 0, stdout, stderr })
    })
  })
}

export function limpid(...args: readonly string[]): Promise<Outcome> {
  return runScript(undefined, ...args)
}
