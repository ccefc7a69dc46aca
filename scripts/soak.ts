// Long trials of the server: each writes its figures, with date and host, into the table of bench/README.md.
// npm run soak -- NAME [COUNT]

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeMachine } from '../bench/machine.ts'
import { RestoreError } from '../src/core/errors.ts'
import { unknownName } from '../src/core/unknownName.ts'
import { packageFolder } from '../src/data/packageFiles.ts'
import { killsSoak } from './soak/kills.ts'
import { mutatedSoak } from './soak/mutated.ts'
import { scalingSoak } from './soak/scaling.ts'
import { uploadsSoak } from './soak/uploads.ts'

/** Trials by name; each takes how much is done, and tells what came out in one line. */
const soaks: Readonly<Record<string, (count: number | undefined) => Promise<string>>> = {
  kills: killsSoak,
  mutated: mutatedSoak,
  scaling: scalingSoak,
  uploads: uploadsSoak,
}

const [name = '', count] = process.argv.slice(2)
try {
  const soak = soaks[name]
  if (!soak) throw unknownName('soak', name, Object.keys(soaks))
  const result = await soak(count === undefined ? undefined : Number(count))
  record(name, result)
  console.log(result)
} catch (error) {
  console.error(error instanceof RestoreError ? error.message : error)
  process.exitCode = 1
}

/** Replaces the row of a trial, or adds one. */
function record(trial: string, result: string): void {
  const file = join(packageFolder(), 'bench', 'README.md')
  const { cpu, cores, node } = describeMachine(undefined)
  const row = `| \`${trial}\` | ${new Date().toISOString().slice(0, 10)} | ${cpu}, ${cores} cores, Node ${node} | ${result} |`
  const lines = readFileSync(file, 'utf8').split('\n')
  const table = lines.findIndex((line) => line.startsWith('| soak |'))
  if (table < 0) throw new TypeError(`${file}: expected a table that starts with "| soak |", got none`)
  const known = lines.findIndex((line, i) => i > table && line.startsWith(`| \`${trial}\` |`))
  lines.splice(known < 0 ? table + 2 : known, known < 0 ? 0 : 1, row)
  writeFileSync(file, lines.join('\n'))
}
