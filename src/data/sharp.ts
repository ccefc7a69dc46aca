// Loads sharp (libvips) on first use, since loading it takes as long as the rest of a command's modules.

import { createRequire } from 'node:module'
import type createSharp from 'sharp'
import type { Sharp } from 'sharp'
import { messageOf, RestoreError } from '../core/errors.ts'

const load = createRequire(import.meta.url)
let loaded: typeof createSharp | undefined

/**
 * Calls sharp, loading it first if needed.
 * @throws RestoreError `environment` if sharp is not installed for this platform
 */
export function sharp(...inputs: Parameters<typeof createSharp>): Sharp {
  loaded ??= loadSharp()
  return loaded(...inputs)
}

function loadSharp(): typeof createSharp {
  try {
    return load('sharp') as typeof createSharp
  } catch (error) {
    const [reason] = messageOf(error).split('\n')
    const advice = 'reinstall limpid on this machine, including optional dependencies'
    throw new RestoreError('environment', `sharp: cannot be loaded (${reason}); ${advice}`, { cause: error })
  }
}
