// Kills a training with SIGKILL at random moments (50 times by default, at most ten per training), resumes it
// each time, and compares its weights and state with those of an undisturbed training.
// usage, after npm run build: npx tsx test/killTrainings.ts [KILLS]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readCheckpoint } from '../src/checkpoints/files.ts'
import { counterRandom } from '../src/core/random.ts'
import { writePictures } from './recipes/images.ts'
import { compileForProcesses, onPictures, trainKilled } from './training.ts'

const kills = Number(process.argv[2] ?? 50)
const dir = mkdtempSync(join(tmpdir(), 'limpid-kills-'))
const compiled = await compileForProcesses('test/recipes/tiny.ts')
const random = counterRandom(2)

/** All tensors of a training's files, as text. */
function tensorsIn(folder: string): string {
  const names = ['state', 'weights', 'best'].map((name) => join(folder, `${name}.safetensors`))
  return JSON.stringify(
    names.map((name) =>
      [...readCheckpoint(name, { isWhole: true }).tensors].map(([key, tensor]) => [
        key,
        Buffer.from(tensor.read()).toString('base64'),
      ]),
    ),
  )
}

try {
  await writePictures(join(dir, 'images'), 5)
  const module = onPictures(compiled.url, join(dir, 'images'), { steps: '60', saveEvery: '2' })
  await trainKilled({ module, out: join(dir, 'whole'), kills: 0 }, () => 0)
  const expected = tensorsIn(join(dir, 'whole'))
  let done = 0
  for (let round = 1; done < kills; round++) {
    const out = join(dir, `round${round}`)
    const inRound = Math.min(10, kills - done)
    const hits = await trainKilled({ module, out, kills: inRound }, () => 6 * random.uniform())
    if (tensorsIn(out) !== expected)
      throw new Error(`round ${round}: weights differ from those of an undisturbed training`)
    done += Math.max(hits, 1)
    console.log(`round ${round}: ${hits} kills, the same weights; ${done} of ${kills}`)
  }
} finally {
  compiled.dispose()
  rmSync(dir, { recursive: true, force: true })
}
