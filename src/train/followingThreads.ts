// Threads of libtorch that follow what other programs leave of the cores. Its threads wait for one another at the end of each
// operation, thousands of times a step: where one of them has to share its core, the others wait as long, and waste theirs.

import { SpareCores } from '../files/spareCores.ts'
import { setThreads } from '../torch/device.ts'

/** Seconds between two looks at the machine. */
const interval = 5

export class FollowingThreads {
  readonly #most: number
  readonly #cores: Pick<SpareCores, 'usedByOthers'>
  #current: number
  #looked = Number.NEGATIVE_INFINITY
  #hasTold = false

  /** @param most threads on a machine where nothing else runs, and now */
  constructor(most: number, cores: Pick<SpareCores, 'usedByOthers'> = new SpareCores()) {
    this.#most = most
    this.#cores = cores
    this.#current = most
  }

  /** Sets the threads to what others have left since the last look; returns what people should know the first time. */
  follow(now = performance.now()): string | undefined {
    if (now - this.#looked < 1000 * interval) return undefined
    this.#looked = now
    const used = this.#cores.usedByOthers()
    const wanted = Math.max(1, this.#most - Math.round(used))
    if (wanted !== this.#current) setThreads(wanted)
    this.#current = wanted
    if (wanted === this.#most || this.#hasTold) return undefined
    this.#hasTold = true
    return `threads: other programs use ${used.toFixed(1)} cores, so this training computes with ${wanted} of ${this.#most} threads until they end; --threads ${this.#most} keeps them all`
  }
}
