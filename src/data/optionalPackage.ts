// The packages of Node.js that a project for browsers can leave out.

import { messageOf, RestoreError } from '../core/errors.ts'

/** Describes an optional package that cannot be loaded. */
export function notInstalled(name: string, error: unknown): RestoreError {
  const [reason] = messageOf(error).split('\n')
  // The install script of ONNX Runtime downloads libraries for CUDA; where it cannot, npm leaves the package out.
  const advice = 'reinstall limpid on this machine: ONNXRUNTIME_NODE_INSTALL=skip npm i limpid'
  return new RestoreError('environment', `${name}: cannot be loaded (${reason}); ${advice}`, { cause: error })
}
