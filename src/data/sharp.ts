// Loads sharp (libvips) on first use, since loading it takes as long as the rest of a command's modules.

import { createRequire } from 'node:module'
import type createSharp from 'sharp'
import type { Sharp } from 'sharp'
import { notInstalled } from './optionalPackage.ts'

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

/** Creates an image of one pixel of a color. @throws if it is no color of CSS */
export function pixelOf(background: string): Sharp {
  loaded ??= loadSharp()
  return loaded({ create: { width: 1, height: 1, channels: 3, background } })
}

function loadSharp(): typeof createSharp {
  try {
    return load('sharp') as typeof createSharp
  } catch (error) {
    throw notInstalled('sharp', error)
  }
}
