// Whether this machine has libtorch, for tests that need it; `npm test` builds the addon first.

import { loadAddon } from '../native/load.ts'

function probe(): string | undefined {
  try {
    loadAddon()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Why tests on libtorch are skipped; undefined if it is available. */
export const libtorchMissing = probe()
