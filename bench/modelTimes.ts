// npm run bench:models
// Seconds that each network of the models takes for a picture of 256 × 256, as restoring runs it on this machine's processor. They go to
// modelTimes.json, from which `npm run models` writes them beside the models. Weights are random: their values do not change the time.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeSafetensors, writeWhole } from '../src/checkpoints/files.ts'
import { counterRandom } from '../src/core/random.ts'
import { createRestorer, type RawInput } from '../src/index.ts'
import { clipDefaults } from '../src/models/clip.ts'
import { DaClip } from '../src/models/daclip.ts'
import { randomInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { builders } from '../src/registry/builders.ts'
import { cards, type ModelCard } from '../src/registry/cards.ts'
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

/** A picture, or one step of it where the network samples. */
async function secondsOf({ id, model, options, sampling, guide }: ModelCard): Promise<number> {
  const weights = save('network', builders[model].create(init(), options))
  const beside = guide === undefined ? {} : { guide: save('guide', new DaClip(init(), clipDefaults)) }
  await using restorer = await createRestorer({ model: id, weights, device: 'cpu', ...beside })
  const { input } = builders[model].channels(options)
  const channels = input === 1 ? 1 : 3
  const data = Uint8Array.from({ length: channels * side ** 2 }, () => 256 * random.uniform())
  const picture: RawInput = { data, width: side, height: side, channels, depth: 8 }
  const once = async () => {
    const { info } = await restorer.run(picture, sampling ? { steps } : {})
    return info.seconds.restore / (sampling ? steps : 1)
  }
  const first = await once()
  return first > 10 ? first : median([await once(), await once(), await once()])
}

const listed: readonly ModelCard[] = cards
const seconds: Record<string, number> = {}
try {
  const measured = new Map<string, number>()
  for (const card of listed) {
    if ('dualPixel' in card.options) continue
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
writeWhole(path, [new TextEncoder().encode(`${text}\n`)])
console.log(path)
