// Which process wrote a file, and whether that process still runs.

import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface ProcessIdentity {
  readonly host: string
  /** Scope of the pid, see {@link machine}. */
  readonly machine?: string
  readonly pid: number
  /** Start of the process, where the system reports it; distinguishes a reused pid. */
  readonly start?: string
}

/** The identity of this process. */
export function thisProcess(): ProcessIdentity {
  const start = startOf(process.pid)
  return {
    host: hostname(),
    machine: machine(),
    pid: process.pid,
    ...(start === undefined ? {} : { start }),
  }
}

let knownMachine: string | undefined

/** Scope in which a pid is unique, as 6 hexadecimal digits: the host and, on Linux, the container. */
export function machine(): string {
  knownMachine ??= createHash('sha256')
    .update(`${hostname()} ${pidNamespace() ?? ''}`)
    .digest('hex')
    .slice(0, 6)
  return knownMachine
}

function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return undefined
  }
}

/** Whether a process can be looked up here: it belongs to this host and this container. */
export function isHere({ host, machine: scope }: ProcessIdentity): boolean {
  return scope === undefined ? host === hostname() : scope === machine()
}

/** Whether a process of this machine still runs. */
export function isRunning({ pid, start }: Pick<ProcessIdentity, 'pid' | 'start'>): boolean {
  if (!isAlive(pid)) return false
  const stat = statOf(pid)
  // A zombie computes nothing any more.
  if (stat && /^[ZX]/.test(stat)) return false
  const current = startOf(pid)
  return start === undefined || current === undefined || start === current
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** The boot, and the clock ticks from it to the start of a process (field 22 of its stat); Linux only. */
function startOf(pid: number): string | undefined {
  const ticks = statOf(pid)?.split(' ')[19]
  const boot = textOf('/proc/sys/kernel/random/boot_id')?.trim()
  return ticks === undefined || boot === undefined ? undefined : `${boot} ${ticks}`
}

/** Fields of a process from its state (the third) on; the name before them may hold spaces and brackets. */
function statOf(pid: number): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2)
}

/** Text of a file of the system; undefined where there is none. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
