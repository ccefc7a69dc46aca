// How many cores other programs use, of those that this process may run on, by the system's own counts.

import { join } from 'node:path'
import { textOf } from './processes.ts'

/** CPU time in seconds since a start that stays the same. */
interface Reading {
  /** Cores on which this process may run. */
  readonly cores: number
  /** Of everything that ran on the cores of this process. */
  readonly all: number
  /** Of this process and its threads. */
  readonly own: number
  /** What one core could have given. */
  readonly passed: number
}

/** Hundredths of a second, in which Linux counts. */
const tick = 0.01

/** Cores that a process may run on, and what others use of them. */
export interface Load {
  readonly cores: number
  /** Mean number of cores that other programs used. */
  readonly ofOthers: number
}

/** Measures between two calls what other programs use; on Linux only. */
export class CpuLoad {
  readonly #root: string
  #last: Reading | undefined

  /** @param root where files of the system are found */
  constructor(root = '/') {
    this.#root = root
    this.#last = this.#read()
  }

  /** The load since the last call, on the cores that affinity leaves to this process; undefined where it is unknown. */
  measure(): Load | undefined {
    const before = this.#last
    const now = this.#read()
    this.#last = now
    if (!before || !now || now.passed <= before.passed) return undefined
    const others = now.all - before.all - (now.own - before.own)
    return { cores: now.cores, ofOthers: Math.max(others / (now.passed - before.passed), 0) }
  }

  #read(): Reading | undefined {
    const isAllowed = allowedCores(textOf(join(this.#root, 'proc/self/status')) ?? '')
    const lines = (textOf(join(this.#root, 'proc/stat')) ?? '').split('\n')
    let all = 0
    let cores = 0
    for (const line of lines) {
      const [, core, counts] = /^cpu(\d+) (.*)$/.exec(line) ?? []
      if (core === undefined || counts === undefined || !isAllowed(Number(core))) continue
      const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = counts
        .split(' ')
        .map(Number)
      all += tick * (user + nice + system + irq + softirq + steal)
      cores++
    }
    if (cores === 0) return undefined
    const { user, system } = process.cpuUsage()
    return { cores, all, own: (user + system) / 1e6, passed: performance.now() / 1000 }
  }
}

/** Whether a process may run on a core, by the list of its status, such as '0-3,8'. */
function allowedCores(status: string): (core: number) => boolean {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1]
  if (list === undefined) return () => true
  const ranges = list.split(',').map((range) => range.split('-').map(Number))
  return (core) => ranges.some(([from = 0, to = from]) => core >= from && core <= to)
}
