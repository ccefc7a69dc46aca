// Errors of a runtime in our words, wherever it runs.

import { messageOf, RestoreError } from '../../core/errors.ts'

/** An error of ours as it is; else want of memory or a crash, by the runtime's words. */
export function failureOf(error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  const reason = messageOf(error).replace(/\s+/g, ' ')
  return isOutOfMemory(reason)
    ? new RestoreError('memory', `compute: more memory is needed than there is (${reason})`)
    : new RestoreError('crash', `compute: the runtime failed: ${reason}`)
}

/** Whether the words of a runtime tell that memory ran out. */
export function isOutOfMemory(words: string): boolean {
  return /bad_alloc|out of memory|failed to allocate|allocation failed|not enough memory/i.test(words)
}
