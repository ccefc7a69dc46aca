#!/usr/bin/env node
// Where the program starts. The build has all of it in few files too, which load in half the time. What restores is a process of its
// own, which gets ready while the command line loads.

import { isSource } from '../data/packageFiles.ts'

const words = process.argv.slice(2)
const isHelp = words.some((word) => word === '--help' || word === '-h')
const command = words.find((word) => !word.startsWith('-'))
// A training shares its modules with its recipe, which imports them from the package.
const isBundled = !isSource && command !== 'train'
const load = (name: string) =>
  import(new URL(`${isBundled ? '../bundle' : '..'}/${name}.${isSource ? 'ts' : 'js'}`, import.meta.url).href)

if (command === 'restore' && !isHelp) {
  const { startAhead }: typeof import('../runtime/session/computeProcess.ts') = await load(
    'runtime/session/computeProcess',
  )
  startAhead()
}
await load('cli/program')
