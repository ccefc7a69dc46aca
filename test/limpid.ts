// The command line as a process of its own, from the sources.

import { execFile } from 'node:child_process'

/** Arguments of Node that run a script of ours; the command line itself unless another is named. */
export function nodeArguments(script = 'src/cli/main.ts'): readonly string[] {
  return ['--import', 'tsx', script]
}

export interface Outcome {
  /** -1 where a signal ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script of ours to its end, whichever that is. */
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
