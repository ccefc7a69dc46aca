import type { Addon } from '../../native/index.d.ts'
import { loadAddon } from '../../native/load.ts'

let loaded: Addon | undefined

/** The libtorch addon, loaded at first use. */
export function addon(): Addon {
  loaded ??= loadAddon()
  return loaded
}
