// Loads libheif in Node when a HEIC is read.

import { createRequire } from 'node:module'
import type { LibHeif } from './formats/heic.ts'
import { notInstalled } from './optionalPackage.ts'

let loaded: LibHeif | undefined

/** @throws RestoreError `environment` if libheif-js is not installed */
export function loadLibHeif(): LibHeif {
  try {
    // The file of the package that finds its WebAssembly wherever the process was started.
    loaded ??= createRequire(import.meta.url)('libheif-js/wasm-bundle') as LibHeif
    return loaded
  } catch (error) {
    throw notInstalled('libheif-js', error)
  }
}
