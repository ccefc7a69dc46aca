// Temporary folders whose names tell which process made them, so that those of killed ones are removed.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRunning, machine } from './processes.ts'

/**
 * Makes an empty folder among the system's temporary files, and removes those of the same purpose that processes of
 * this machine left when they were killed.
 */
export function makeTemporaryFolder(purpose: string): string {
  const owned = `limpid-${purpose}-${machine()}-`
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(owned) ? Number(name.slice(owned.length).split('-')[0]) : 0
    if (pid > 0 && !isRunning({ pid })) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
  return mkdtempSync(join(tmpdir(), `${owned}${process.pid}-`))
}
