// Ends a command early: on Ctrl-C, on a request to end, and when the reader of its results has left.

import { setMaxListeners } from 'node:events'
import { writeSync } from 'node:fs'
import { constants } from 'node:os'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Time in which a signal is the same one again: npm and timeout pass on what the whole group has received. */
const echoMs = 1000

let received: (typeof signals)[number] | undefined

/** Exit code of a command that a signal has ended, as shells have it; undefined where none came. */
export function signalExitCode(): number | undefined {
  return received && 128 + constants.signals[received]
}

export interface Interrupts {
  /** Aborted by the first signal, and when stdout is closed; a second signal ends the process at once. */
  readonly signal: AbortSignal
  /** Whether nobody reads stdout any more, so that the command ends without a word. */
  readonly isUnread: boolean
  [Symbol.dispose](): void
}

/** Takes over how the process is ended, until it is disposed; after a signal to the end of the process. */
export function watchInterrupts(onSignal: () => void = () => {}): Interrupts {
  const controller = new AbortController()
  // Every picture under way listens.
  setMaxListeners(0, controller.signal)
  let isUnread = false
  let firstMs = Number.NaN
  const stop = (name: (typeof signals)[number]) => {
    if (performance.now() - firstMs < echoMs) return
    if (received !== undefined) endAtOnce()
    received = name
    firstMs = performance.now()
    controller.abort()
    onSignal()
  }
  const leave = ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') return
    isUnread = true
    controller.abort()
  }
  for (const name of signals) process.on(name, stop)
  process.stdout.on('error', leave)
  return {
    signal: controller.signal,
    get isUnread() {
      return isUnread
    },
    [Symbol.dispose]() {
      // An echo may still come before the process has ended.
      if (received === undefined) for (const name of signals) process.off(name, stop)
      process.stdout.off('error', leave)
    },
  }
}

function endAtOnce(): never {
  // Not by process.stderr, which may wait.
  writeSync(2, 'error: stopped at once; what was under way is lost\n')
  process.exit(signalExitCode())
}
