// Converts errors of a runtime, in any process or browser.

import { messageOf, RestoreError } from '../../core/errors.ts'

/** Converts an error to 'memory' or 'crash' by its message; returns a RestoreError unchanged. */
export function failureOf(error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  const reason = messageOf(error).replace(/\s+/g, ' ')
  return isOutOfMemory(reason)
    ? new RestoreError('memory', `compute: out of memory (${reason}); use smaller tiles`)
    : new RestoreError('crash', `compute: the runtime failed: ${reason}`)
}

/** Whether the message of a runtime reports that memory ran out. */
export function isOutOfMemory(message: string): boolean {
  return /bad_alloc|out of memory|failed to allocate|allocation failed|not enough memory/i.test(message)
}
