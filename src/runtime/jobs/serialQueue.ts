// Work that takes turns and may be given up.

import { RestoreError } from '../../core/errors.ts'

/** Actions one after the other, in the order in which they came; one that failed holds up none. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve()

  /** An abort is an error at once, while an action waits for its turn too. */
  run<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const result = this.#last.then(() => {
      checkAborted(signal)
      return action()
    })
    this.#last = result.catch(() => {})
    return untilAborted(result, signal)
  }
}

/** A promise that an abort rejects at once. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(aborted())
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted()
}

export function aborted(): RestoreError {
  return new RestoreError('aborted', 'restore: canceled')
}
