// Ends a server or worker in time, whatever does not answer.

import { setTimeout as sleep } from 'node:timers/promises'
import { printLine } from '../io/shell.ts'

/** Time for closing everything, after the jobs under way had theirs. */
const closingMs = 10_000

/** Waits for `stop(drainMs)`; a queue or store that does not answer keeps the process for 10 s more, not for ever. */
export async function endWithin(drainMs: number, stop: (drainMs: number) => Promise<void>): Promise<void> {
  const leave = async () => {
    await sleep(drainMs + closingMs, undefined, { ref: false })
    printLine(
      'leaving: the queue or the store does not answer; jobs under way are done again after their lease',
    )
    process.exit()
  }
  await Promise.race([stop(drainMs), leave()])
}
