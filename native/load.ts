// Loads the addon that `limpid setup` built, and explains what is missing where it cannot.

import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { RestoreError } from '../src/core/errors.ts'
import { type BuildRecord, hashSources, readRecords, stampOf } from './cache.ts'
import type { Addon } from './index.d.ts'

let loaded: Addon | undefined

/** The addon for the libtorch that `limpid setup` found last, or for LIBTORCH; loaded once. */
export function loadAddon(): Addon {
  loaded ??= load()
  return loaded
}

function load(): Addon {
  const tried: string[] = []
  for (const record of [...readRecords()].reverse()) {
    const fault = faultOf(record)
    if (fault !== undefined) {
      tried.push(`${record.addon} (${fault})`)
      continue
    }
    try {
      return createRequire(import.meta.url)(record.addon) as Addon
    } catch (error) {
      tried.push(`${record.addon} (${error instanceof Error ? error.message : error})`)
    }
  }
  const what = tried.length === 0 ? 'it has not been built' : `tried ${tried.join(', ')}`
  throw new RestoreError(
    'environment',
    `libtorch addon: expected a built addon, but ${what}; run \`limpid setup\``,
  )
}

/** Why a remembered addon cannot be used any more. */
export function faultOf(record: BuildRecord): string | undefined {
  const { LIBTORCH } = process.env
  if (record.sources !== hashSources()) return 'built from other sources'
  if (LIBTORCH && (!existsSync(LIBTORCH) || realpathSync(LIBTORCH) !== record.libtorch))
    return `not for LIBTORCH=${LIBTORCH}`
  if (!existsSync(record.addon)) return 'deleted'
  if (!existsSync(record.library)) return `its libtorch ${record.library} is gone`
  if (stampOf(record.library) !== record.libraryStamp) return `its libtorch ${record.libtorch} was replaced`
  return undefined
}
