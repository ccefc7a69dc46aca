// Threads of libtorch that follow what other programs leave of the cores. Its threads wait for one another at the end of each
// operation, thousands of times a step: where one of them has to share its core, the others wait as long, and waste theirs.

import { CpuLoad } from '../files/cpuLoad.ts'

/** Seconds between two looks at the machine. */
const interval = 5

/** How threads are set, and the load is measured. */
interface Machine {
  readonly load: Pick<CpuLoad, 'measure'>
  readonly setThreads: (count: number) => void
}

export class AdaptiveThreads {
  readonly #most: number
  readonly #machine: Machine
  #current: number
  #looked = Number.NEGATIVE_INFINITY
  #isNoted = false

  /** @param most threads on a machine where nothing else runs, and now */
  constructor(most: number, setThreads: Machine['setThreads'], load: Machine['load'] = new CpuLoad()) {
    this.#most = most
    this.#machine = { load, setThreads }
    this.#current = most
  }

  /** Sets the threads to what others have left since the last look; returns what people should know the first time. */
  adapt(now = performance.now()): string | undefined {
    if (now - this.#looked < 1000 * interval) return undefined
    this.#looked = now
    const load = this.#machine.load.measure()
    if (!load) return undefined
    // A quota may be far below the cores of the host, which then has room for both.
    const left = load.cores - Math.round(load.ofOthers)
    const wanted = Math.min(Math.max(left, 1), this.#most)
    if (wanted !== this.#current) this.#machine.setThreads(wanted)
    this.#current = wanted
    if (wanted === this.#most || this.#isNoted) return undefined
    this.#isNoted = true
    return `threads: other programs use ${load.ofOthers.toFixed(1)} cores, so this training computes with ${wanted} of ${this.#most} threads until they end; --threads ${this.#most} keeps them all`
  }
}
