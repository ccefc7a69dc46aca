// What the processor can do, as far as the system tells.

import { existsSync, readFileSync } from 'node:fs'

/** Names of instruction sets as Linux lists them, such as 'avx512_bf16'; empty on other systems. */
export function processorFeatures(): ReadonlySet<string> {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  return new Set((/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1] ?? '').split(/\s+/))
}
