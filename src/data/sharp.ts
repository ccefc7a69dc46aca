// sharp (libvips), loaded when a picture is first read or written: that takes as long as loading all else of a command.

import { createRequire } from 'node:module'
import type createSharp from 'sharp'
import type { Sharp } from 'sharp'

const load = createRequire(import.meta.url)
let loaded: typeof createSharp | undefined

export function sharp(...inputs: Parameters<typeof createSharp>): Sharp {
  loaded ??= load('sharp') as typeof createSharp
  return loaded(...inputs)
}
