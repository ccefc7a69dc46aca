// Kills a batch of 200 pictures with SIGKILL at random moments, 20 times or as often as told, goes on each time, and compares what
// is there in the end with an undisturbed batch: every file once, and nothing else.
// usage: npx tsx test/killBatches.ts [KILLS] [FILES]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { counterRandom } from '../src/core/random.ts'
import { killBatch, stateOf, writeBatch, writeTinyWeights } from './batches.ts'

const [kills = 20, files = 200] = process.argv.slice(2).map(Number)
const dir = mkdtempSync(join(tmpdir(), 'limpid-batches-'))
const random = counterRandom(7)

try {
  const weights = join(dir, 'tiny.safetensors')
  const inputs = join(dir, 'in')
  writeTinyWeights(weights)
  await writeBatch(inputs, files, random)
  const whole = { weights, inputs, files, random, kills: 0, outputs: join(dir, 'whole') }
  await killBatch(whole)
  const wanted = stateOf(whole.outputs)
  const onKill = (kill: number, printed: number) => console.log(`kill ${kill} after ${printed} more files`)
  const code = await killBatch({ ...whole, kills, outputs: join(dir, 'killed'), onKill })
  const got = stateOf(join(dir, 'killed'))
  if (code !== 0 || wanted.files.size !== files || !isDeepStrictEqual(got, wanted))
    throw new Error(`expected ${files} files, each finished once, got ${JSON.stringify([...got.finished])}`)
  console.log(`${files} files after ${kills} kills: each is there once, as of a batch that was let alone`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
