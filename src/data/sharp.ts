// sharp (libvips), loaded when a picture is first read or written: that takes as long as loading all else of a command.

import { createRequire } from 'node:module'
import type createSharp from 'sharp'
import type { Sharp } from 'sharp'
import { messageOf, RestoreError } from '../core/errors.ts'

const load = createRequire(import.meta.url)
let loaded: typeof createSharp | undefined

/** @throws RestoreError `environment` where it is not installed for this machine */
export function sharp(...inputs: Parameters<typeof createSharp>): Sharp {
  loaded ??= loadSharp()
  return loaded(...inputs)
}

function loadSharp(): typeof createSharp {
  try {
    return load('sharp') as typeof createSharp
  } catch (error) {
    const [reason] = messageOf(error).split('\n')
    const advice = 'install limpid again on this machine, with optional dependencies'
    throw new RestoreError('environment', `sharp: cannot be loaded (${reason}); ${advice}`, { cause: error })
  }
}
