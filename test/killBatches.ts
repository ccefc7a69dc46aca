// Kills a batch of images with SIGKILL at random moments (20 times and 200 images by default), resumes it
// each time, and compares the result with an undisturbed batch: every file once, and nothing else.
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
  const expected = stateOf(whole.outputs)
  const onKill = (kill: number, printed: number) => console.log(`kill ${kill} after ${printed} more files`)
  const code = await killBatch({ ...whole, kills, outputs: join(dir, 'killed'), onKill })
  const actual = stateOf(join(dir, 'killed'))
  if (code !== 0 || expected.files.size !== files || !isDeepStrictEqual(actual, expected))
    throw new Error(
      `expected ${files} files, each finished once, got ${JSON.stringify([...actual.finished])}`,
    )
  console.log(`${files} files after ${kills} kills: each written once, as in an undisturbed batch`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
