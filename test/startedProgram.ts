// Starts commands of the built program that run until they are ended, and waits for the document they print.

import { type ChildProcess, spawn } from 'node:child_process'
import { program } from './limpid.ts'

const children: ChildProcess[] = []

/** Ends everything that was started. */
export function killStarted(): void {
  for (const child of children) child.kill('SIGKILL')
}

/** Starts a command with `--json`. @returns what it prints first, with its process */
export function startProgram<T extends object>(
  ...args: readonly string[]
): Promise<T & { child: ChildProcess }> {
  return startBehind([], ...args)
}

/** Starts a command behind another one, which runs it elsewhere. */
export async function startBehind<T extends object>(
  prefix: readonly string[],
  ...args: readonly string[]
): Promise<T & { child: ChildProcess }> {
  const [command = '', ...rest] = [...prefix, process.execPath, program, ...args, '--json', '--quiet']
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
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
