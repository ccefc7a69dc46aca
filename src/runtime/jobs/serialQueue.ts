// A queue of asynchronous actions, and cancellation.

import { RestoreError } from '../../core/errors.ts'

/** Runs actions one at a time, in order; a failed action does not stop the next. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve()

  /** Queues an action; an abort rejects at once, even while the action waits. */
  run<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const result = this.#last.then(() => {
      checkAborted(signal)
      return action()
    })
    this.#last = result.catch(() => {})
    return untilAborted(result, signal)
  }
}

/** Wraps a promise so that an abort rejects it at once. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(aborted())
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** @throws RestoreError 'aborted' after an abort */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted()
}

/** Creates the error of a picture for a restorer that is closed. */
export function closed(): RestoreError {
  return new RestoreError('usage', 'restore: expected an open restorer, got a closed one')
}

/** Creates the error of an abort. */
export function aborted(): RestoreError {
  return new RestoreError('aborted', 'restore: canceled')
}
