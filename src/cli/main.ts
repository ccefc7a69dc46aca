#!/usr/bin/env node
// Entry point. The build also bundles the program into few files, which load in half the time. The computing
// process of restore starts while the command line still loads.

import { isSource } from '../data/packageFiles.ts'

const words = process.argv.slice(2)
const isHelp = words.some((word) => word === '--help' || word === '-h')
const command = words.find((word) => !word.startsWith('-'))
// A training shares its modules with its recipe, which imports them from the package.
const isBundled = !isSource && command !== 'train'
const load = (name: string) =>
  import(new URL(`${isBundled ? '../bundle' : '..'}/${name}.${isSource ? 'ts' : 'js'}`, import.meta.url).href)

if (command === 'restore' && !isHelp) {
  const { prestartProcess }: typeof import('../runtime/session/computeProcess.ts') = await load(
    'runtime/session/computeProcess',
  )
  prestartProcess()
  const { prestartReader }: typeof import('../runtime/reading/readerProcess.ts') = await load(
    'runtime/reading/readerProcess',
  )
  prestartReader()
}
await load('cli/program')
