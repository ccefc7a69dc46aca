// How many cores other programs leave to this process, by the system's own counts.

import { join } from 'node:path'
import { textOf } from './processes.ts'

/** CPU time in seconds since a start that stays the same. */
interface Reading {
  /** Of everything that ran on the cores of this process. */
  readonly all: number
  /** Of this process and its threads. */
  readonly own: number
  /** What one core could have given. */
  readonly passed: number
}

/** Hundredths of a second, in which Linux counts. */
const tick = 0.01

/** Measures between two calls what other programs use; on Linux only. */
export class SpareCores {
  readonly #root: string
  #last: Reading | undefined

  /** @param root where files of the system are found */
  constructor(root = '/') {
    this.#root = root
    this.#last = this.#read()
  }

  /**
   * Mean number of cores that other programs used since the last call, of those that affinity leaves to this process; 0
   * where it is unknown.
   */
  usedByOthers(): number {
    const before = this.#last
    const now = this.#read()
    this.#last = now
    if (!before || !now || now.passed <= before.passed) return 0
    const others = now.all - before.all - (now.own - before.own)
    return Math.max(others / (now.passed - before.passed), 0)
  }

  #read(): Reading | undefined {
    const cores = allowedCores(textOf(join(this.#root, 'proc/self/status')) ?? '')
    const lines = (textOf(join(this.#root, 'proc/stat')) ?? '').split('\n')
    let all = 0
    let isKnown = false
    for (const line of lines) {
      const [, core, counts] = /^cpu(\d+) (.*)$/.exec(line) ?? []
      if (core === undefined || counts === undefined || !cores(Number(core))) continue
      const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = counts
        .split(' ')
        .map(Number)
      all += tick * (user + nice + system + irq + softirq + steal)
      isKnown = true
    }
    if (!isKnown) return undefined
    const { user, system } = process.cpuUsage()
    return { all, own: (user + system) / 1e6, passed: performance.now() / 1000 }
  }
}

/** Whether a process may run on a core, by the list of its status, such as '0-3,8'. */
function allowedCores(status: string): (core: number) => boolean {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1]
  if (list === undefined) return () => true
  const ranges = list.split(',').map((range) => range.split('-').map(Number))
  return (core) => ranges.some(([from = 0, to = from]) => core >= from && core <= to)
}
