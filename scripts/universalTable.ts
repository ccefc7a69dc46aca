// Measures a universal network on each of ten kinds of degradation, by sampler and number of steps, against
// its inputs.
// usage: npx tsx scripts/universalTable.ts WEIGHTS GUIDE IMAGES [COUNT] [SAMPLINGS]
// SAMPLINGS is comma-separated, such as 'posterior 100,mean of 8 posterior 20'

import { counterRandom } from '../src/core/random.ts'
import { decodeBytes } from '../src/data/decode.ts'
import { crop, type Image, in8Bits, pixelsToPlanes } from '../src/data/image.ts'
import { openSource, specOf } from '../src/data/sources/datasets.ts'
import { type Sampler, samplers } from '../src/diffusion/irsde.ts'
import { type MetricName, measurePair } from '../src/metrics/metrics.ts'
import { degradationWords } from '../src/models/daclip/words.ts'
import { createRestorer } from '../src/runtime/restorer.ts'
import { degradeByKind } from '../src/train/networks/daClipKinds.ts'

const defaultSamplings = 'posterior 100,posterior 20,sde 100,ode 100,mean of 8 posterior 20'
const [weights, guide, folder, maxCount = '10', requested = defaultSamplings] = process.argv.slice(2)
if (!weights || !guide || !folder)
  throw new Error('usage: npx tsx scripts/universalTable.ts WEIGHTS GUIDE IMAGES [COUNT] [SAMPLINGS]')

/** The guide was trained on squares of at least 200 pixels. */
const side = 224
const metrics: readonly MetricName[] = ['psnr', 'ssim', 'niqe']
interface Sampling {
  readonly name: string
  readonly sampler: Sampler
  readonly steps: number
  /** Number of samples to average. */
  readonly samples: number
}
const samplings = requested.split(',').map((name): Sampling => {
  const [, samples, samplerName, steps] = /^(?:mean of (\d+) )?(\w+) (\d+)$/.exec(name) ?? []
  const sampler = samplers.find((candidate) => candidate === samplerName)
  if (!sampler)
    throw new Error(
      `SAMPLINGS: expected entries such as 'ode 100' or 'mean of 8 posterior 20', got '${name}'`,
    )
  return { name, sampler, steps: Number(steps), samples: Number(samples ?? 1) }
})

const source = await openSource(await specOf(folder))
const count = Math.min(source.length, Number(maxCount))
if (!Number.isInteger(count) || count < 1)
  throw new Error(`COUNT: expected a whole number above 0, got ${maxCount}`)

async function truth(index: number): Promise<Image> {
  const { pixels } = await decodeBytes(await source.read(index), { name: source.name(index), colors: 'srgb' })
  const { image } = pixelsToPlanes(pixels)
  if (Math.min(image.height, image.width) < side)
    throw new Error(`${source.name(index)}: expected at least ${side} × ${side} pixels`)
  return crop(image, (image.height - side) >> 1, (image.width - side) >> 1, side, side)
}

const table = new Map(degradationWords.map((kind) => [kind, new Map<string, number[]>()]))
const add = (kind: number, column: string, reference: Image, image: Image) => {
  const rows = table.get(degradationWords[kind]!)!
  const sums = rows.get(column) ?? metrics.map(() => 0)
  const values = measurePair(reference, in8Bits(image), metrics, { cropPx: 0 })
  rows.set(
    column,
    sums.map((sum, i) => sum + values[i]! / count),
  )
}

for (const { name, samples, ...request } of samplings) {
  await using restorer = await createRestorer({ weights, guide, device: 'cpu', ...request })
  for (let i = 0; i < count; i++) {
    const reference = await truth(i)
    for (const kind of degradationWords.keys()) {
      process.stderr.write(`\r${name}, image ${i + 1} of ${count}, ${degradationWords[kind]}      `)
      const input = degradeByKind(reference, kind, counterRandom(0).fork(i).fork(kind))
      if (name === samplings[0]?.name) add(kind, 'input', reference, input)
      add(kind, name, reference, await restorer.runPlanes(input, { samples }))
    }
  }
}
process.stderr.write('\n')

const names = ['input', ...samplings.map(({ name }) => name)]
console.log(`${count} images of ${side} × ${side}: PSNR in dB, SSIM, NIQE (lower is better)\n`)
console.log(`| kind | ${names.join(' | ')} |\n| --- |${' --- |'.repeat(names.length)}`)
const means = new Map(
  names.map((column) => [
    column,
    metrics.map((_, i) =>
      [...table.values()].reduce((sum, rows) => sum + rows.get(column)![i]! / table.size, 0),
    ),
  ]),
)
for (const [kind, rows] of [...table, ['mean', means] as const]) {
  const cells = names.map((name) => {
    const [psnr = 0, ssim = 0, niqe = 0] = rows.get(name) ?? []
    return `${psnr.toFixed(2)}, ${ssim.toFixed(3)}, ${niqe.toFixed(1)}`
  })
  console.log(`| ${kind} | ${cells.join(' | ')} |`)
}
