// usage: npm run bench:models
// Times every model on an image of 256 × 256 through the restorer, on this machine's CPU, and writes
// modelTimes.json, which `npm run models` reads. Models without packaged weights run with random ones, which
// take the same time.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeSafetensors } from '../src/checkpoints/files.ts'
import { counterRandom } from '../src/core/random.ts'
import { writeAtomicSync } from '../src/files/atomicWrite.ts'
import { createDetector, createRestorer, type RawInput } from '../src/index.ts'
import { clipDefaults } from '../src/models/clip/clip.ts'
import { DaClip } from '../src/models/daclip/daclip.ts'
import { detection } from '../src/models/tasks.ts'
import { randomInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { cards, type ModelCard } from '../src/registry/cards.ts'
import { networkOf } from '../src/registry/networks.ts'
import { packagedWeights } from '../src/runtime/resolveModel.ts'
import { describeMachine } from './machine.ts'
import { median } from './measure.ts'

const side = 256
const steps = 4
const scratch = mkdtempSync(join(tmpdir(), 'limpid-times-'))

function save(name: string, network: object): string {
  const path = join(scratch, `${name}.safetensors`)
  writeSafetensors(path, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
  return path
}

const init = () => randomInit(() => random.uniform())
const random = counterRandom(1)

/** Seconds per image, or per step for models that sample. */
async function secondsOf(card: ModelCard): Promise<number> {
  if (card.task === detection.id) {
    await using detector = await createDetector({ model: card.id, device: 'cpu' })
    const image = randomImage(3)
    return await medianOf(async () => {
      const start = performance.now()
      await detector.run(image)
      return (performance.now() - start) / 1000
    })
  }
  const { id, model, options, sampling } = card
  await using restorer = await createRestorer({ model: id, device: 'cpu', ...filesOf(card) })
  const image = randomImage(networkOf(model).fromOptions(options).channels.input === 1 ? 1 : 3)
  return await medianOf(async () => {
    const { info } = await restorer.run(image, sampling ? { steps } : {})
    return info.seconds.restore / (sampling ? steps : 1)
  })
}

/** Random weights for a model without packaged ones. */
function filesOf({ id, model, options, guide }: ModelCard): { weights?: string; guide?: string } {
  if (existsSync(packagedWeights(id))) return {}
  const weights = save('network', networkOf(model).fromOptions(options).create(init()).network)
  return guide === undefined
    ? { weights }
    : { weights, guide: save('guide', new DaClip(init(), clipDefaults)) }
}

function randomImage(channels: 1 | 3): RawInput {
  const data = Uint8Array.from({ length: channels * side ** 2 }, () => 256 * random.uniform())
  return { data, width: side, height: side, channels, depth: 8 }
}

/** Median of three measurements after a warm-up; a single one if it takes more than 10 s. */
async function medianOf(measure: () => Promise<number>): Promise<number> {
  const first = await measure()
  return first > 10 ? first : median([await measure(), await measure(), await measure()])
}

const listed: readonly ModelCard[] = cards
const seconds: Record<string, number> = {}
try {
  const measured = new Map<string, number>()
  for (const card of listed) {
    if (card.options === undefined || 'dualPixel' in card.options) continue
    const key = JSON.stringify([card.model, card.options, card.guide])
    const value = measured.get(key) ?? (await secondsOf(card))
    measured.set(key, value)
    seconds[card.id] = Number(value.toPrecision(2))
    console.error(`${card.id}: ${seconds[card.id]} s`)
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
const path = fileURLToPath(new URL('../../bench/modelTimes.json', import.meta.url))
const text = JSON.stringify({ machine: describeMachine(undefined), side, seconds }, undefined, 2)
writeAtomicSync(path, [new TextEncoder().encode(`${text}\n`)], { overwrite: true })
console.log(path)
