// Starts commands of the built program that run until they are ended, and waits for the document they print.

import { type ChildProcess, spawn } from 'node:child_process'
import { program } from './limpid.ts'

const children: ChildProcess[] = []

/** Ends everything that was started. */
export function killStarted(): void {
  for (const child of children) child.kill('SIGKILL')
}

/** Starts a command with `--json`. @returns what it prints first, with its process */
export async function startProgram<T extends object>(
  ...args: readonly string[]
): Promise<T & { child: ChildProcess }> {
  const child = spawn(process.execPath, [program, ...args, '--json', '--quiet'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let printed = ''
  for await (const text of child.stdout) {
    printed += text
    if (printed.trimEnd().endsWith('}')) break
  }
  const document = JSON.parse(printed) as T | { readonly error: unknown }
  if ('error' in document) throw new Error(printed)
  return { ...document, child }
}
