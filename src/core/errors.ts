// Every error that Limpid raises on purpose: one class, one table of codes with exit code and HTTP status.
// A message is one sentence: where, what was expected, what came, what to do.

export const errorCodes = {
  usage: { exit: 2, status: 400, meaning: 'the request itself is wrong: unknown option, model or value' },
  input: { exit: 1, status: 422, meaning: 'an input file or image cannot be read or is out of bounds' },
  output: { exit: 1, status: 409, meaning: 'a result cannot be written, or would replace a file' },
  shape: { exit: 1, status: 422, meaning: 'a tensor does not have the shape an operation or network needs' },
  checkpoint: { exit: 1, status: 422, meaning: 'a weights file is malformed, unsafe or of another network' },
  trace: { exit: 1, status: 422, meaning: 'a network cannot be written as an ONNX graph as asked' },
  memory: { exit: 1, status: 507, meaning: 'more memory is needed than there is' },
  crash: { exit: 1, status: 500, meaning: 'the process that computes failed or ended by itself' },
  numeric: { exit: 1, status: 422, meaning: 'a value is not finite, or two results disagree' },
  environment: {
    exit: 3,
    status: 503,
    meaning: 'the machine lacks something: libtorch, a compiler, a device',
  },
  aborted: { exit: 130, status: 499, meaning: 'the caller canceled' },
} as const satisfies Record<string, { exit: number; status: number; meaning: string }>

export type ErrorCode = keyof typeof errorCodes

/** An expected failure; `code` selects exit code and HTTP status in {@link errorCodes}. */
export class RestoreError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RestoreError'
    this.code = code
  }
}

/** The words of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
