// The folder in which Limpid keeps what it builds and fetches.

import { homedir } from 'node:os'
import { join } from 'node:path'

/** LIMPID_HOME, or the platform's cache folder. */
export function cacheFolder(): string {
  const { LIMPID_HOME, XDG_CACHE_HOME } = process.env
  if (LIMPID_HOME) return LIMPID_HOME
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'limpid')
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'limpid')
}
