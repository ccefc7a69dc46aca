// Feeds image files with flipped bits, cut ends, false headers and decompression bombs to the restorer. Each
// must yield an image or an error that names it, with bounded memory. The last line is a JSON document; the
// exit code is 1 if any file fails. usage: npx tsx test/mutatedImages.ts [FILES] [SEED]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RestoreError } from '../src/core/errors.ts'
import { counterRandom } from '../src/core/random.ts'
import { createRestorer, type Restorer } from '../src/runtime/restorer.ts'
import { writeTinyWeights } from './batches.ts'
import { mutations, samples } from './mutations.ts'

const [count = 2000, seed = 11] = process.argv.slice(2).map(Number)
const pixelLimit = 2e6

/** Returns 'image', the code of an error that names the file, or a description of what is wrong. */
async function outcomeOf(restorer: Restorer, file: Buffer, name: string): Promise<string> {
  try {
    const result = await restorer.run(file, { name, pixelLimit })
    const { width, height, channels, data } = result.raw()
    return data.length === width * height * channels && width > 0 ? 'image' : `wrong: ${width} × ${height}`
  } catch (error) {
    const isClear = error instanceof RestoreError && error.code === 'input' && error.message.includes(name)
    return isClear ? 'input' : `wrong: ${error instanceof Error ? (error.stack ?? error.message) : error}`
  }
}

const dir = mkdtempSync(join(tmpdir(), 'limpid-mutated-'))
const weights = join(dir, 'tiny.safetensors')
writeTinyWeights(weights)
const random = counterRandom(seed)
const restorer = await createRestorer({ weights, device: 'cpu', threads: 1 })
const outcomes: Record<string, number> = {}
const wrong: string[] = []
let slowest = { name: '', ms: 0 }
try {
  const files = await samples(random)
  const names = Object.keys(mutations)
  for (const [i, file] of files.entries()) {
    if ((await outcomeOf(restorer, file, `sample ${i}`)) !== 'image') wrong.push(`sample ${i} cannot be read`)
  }
  const { pid } = restorer
  for (let i = 0; i < count; i++) {
    const kind = names[i % names.length] as string
    const [file, other] = [random.integer(files.length), random.integer(files.length)].map((at) => files[at])
    const mutated = mutations[kind]?.(file as Buffer, random, other as Buffer) as Buffer
    const started = performance.now()
    const outcome = await outcomeOf(restorer, mutated, `${kind} ${i}`)
    const ms = Math.round(performance.now() - started)
    if (ms > slowest.ms) slowest = { name: `${kind} ${i}, ${outcome}`, ms }
    const label = outcome.startsWith('wrong') ? 'wrong' : outcome
    if (label === 'wrong') wrong.push(`${kind} ${i}: ${outcome}`)
    outcomes[`${kind} ${label}`] = (outcomes[`${kind} ${label}`] ?? 0) + 1
    if ((i + 1) % 200 === 0) console.error(`${i + 1} of ${count}`)
  }
  if (restorer.pid !== pid) wrong.push('the compute process was restarted')
} finally {
  await restorer.close()
  rmSync(dir, { recursive: true, force: true })
}
const peakMb = Math.round(process.resourceUsage().maxRSS / 1024)
for (const line of wrong.slice(0, 20)) console.error(line)
console.log(JSON.stringify({ count, wrong: wrong.length, slowest, peakMb, outcomes }))
process.exitCode = wrong.length > 0 ? 1 : 0
