// Converts errors of a runtime, in any process or browser.

import { isOutOfMemory, messageOf, RestoreError } from '../../core/errors.ts'

/** Converts an error to 'memory' or 'crash' by its message; returns a RestoreError unchanged. */
export function failureOf(error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  const reason = withoutSource(messageOf(error).replace(/\s+/g, ' ').trim())
  return isOutOfMemory(reason)
    ? new RestoreError('memory', `compute: out of memory (${reason}); use smaller tiles`)
    : new RestoreError('crash', `compute: the runtime failed: ${reason}`)
}

/** What ONNX Runtime says, without the place in its sources and the condition that failed there. */
function withoutSource(reason: string): string {
  return reason.replace(/\S*\.(?:cc|h):\d+ .* was (?:true|false)\. (?=\S)/, '')
}
