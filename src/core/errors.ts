// The error class that Limpid throws, and its codes with their exit code and HTTP status.
// A message is one sentence: where, what was expected, what was found, what to do.

import { escapeControls } from './text.ts'

/** Every error code with its exit code, HTTP status and meaning. */
export const errorCodes = {
  usage: { exit: 2, status: 400, meaning: 'the request itself is wrong: unknown option, model or value' },
  input: { exit: 1, status: 422, meaning: 'an input file or image cannot be read or is out of bounds' },
  output: { exit: 1, status: 409, meaning: 'a result cannot be written, or would replace a file' },
  shape: { exit: 1, status: 422, meaning: 'a tensor does not have the shape an operation or network needs' },
  checkpoint: { exit: 1, status: 422, meaning: 'a weights file is malformed, unsafe or for another network' },
  trace: { exit: 1, status: 422, meaning: 'a network cannot be exported as the requested ONNX graph' },
  memory: { exit: 1, status: 507, meaning: 'there is not enough memory' },
  crash: { exit: 1, status: 500, meaning: 'the compute process failed or exited unexpectedly' },
  numeric: { exit: 1, status: 422, meaning: 'a value is not finite, or two results disagree' },
  environment: {
    exit: 3,
    status: 503,
    meaning: 'the machine lacks a requirement: libtorch, a compiler, a device',
  },
  aborted: { exit: 130, status: 499, meaning: 'the caller canceled' },
} as const satisfies Record<string, { exit: number; status: number; meaning: string }>

/** Code of a {@link RestoreError}. */
export type ErrorCode = keyof typeof errorCodes

/** An expected failure; `code` selects exit code and HTTP status in {@link errorCodes}. */
export class RestoreError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    // Messages quote names of files and keys, which may hold escape sequences of terminals.
    super(escapeControls(message, { keepsLines: true }), options)
    this.name = 'RestoreError'
    this.code = code
  }
}

/** Whether the message of a runtime reports that memory ran out. */
export function isOutOfMemory(message: string): boolean {
  return /bad_alloc|out of memory|can't allocate memory|failed to allocate|alloc(ation)?[ _]failed|not enough memory/i.test(
    message,
  )
}

/** Message of a thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
