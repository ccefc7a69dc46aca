#!/usr/bin/env node
// Where the program starts. What restores is a process of its own, which gets ready while the command line loads.

const words = process.argv.slice(2)
const isHelp = words.some((word) => word === '--help' || word === '-h')
if (words.find((word) => !word.startsWith('-')) === 'restore' && !isHelp) {
  const { startAhead } = await import('../runtime/session/compute.ts')
  startAhead()
}
await import('./program.ts')
