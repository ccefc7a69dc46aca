// Measures an IPT on each of the six pre-training tasks, against its inputs (upscaled by bicubic
// interpolation).
// usage: npx tsx scripts/iptTasks.ts WEIGHTS IMAGES [COUNT]

import { counterRandom } from '../src/core/random.ts'
import { decodeBytes } from '../src/data/decode.ts'
import { crop, type Image, in8Bits, pixelsToPlanes } from '../src/data/image.ts'
import { openSource, specOf } from '../src/data/sources/datasets.ts'
import { resizeTo } from '../src/degrade/resize.ts'
import { measurePair } from '../src/metrics/metrics.ts'
import { createRestorer } from '../src/runtime/restorer.ts'
import { iptPretraining } from '../src/train/networks/ipt.ts'

const [weights, folder, maxCount = '20'] = process.argv.slice(2)
if (!weights || !folder) throw new Error('usage: npx tsx scripts/iptTasks.ts WEIGHTS IMAGES [COUNT]')

const source = await openSource(await specOf(folder))
const count = Math.min(source.length, Number(maxCount))

/** Center crop of at most 192 × 192 pixels, with sides divisible by 2, 3 and 4. */
async function truth(index: number): Promise<Image> {
  const { pixels } = await decodeBytes(await source.read(index), { name: source.name(index), colors: 'srgb' })
  const { image } = pixelsToPlanes(pixels)
  const [height, width] = [image.height, image.width].map((side) => Math.min(side - (side % 12), 192)) as [
    number,
    number,
  ]
  return crop(image, (image.height - height) >> 1, (image.width - width) >> 1, height, width)
}

console.log(`${count} images, PSNR on Y in dB: input, output, gain`)
for (const [task, { scale, degrade }] of Object.entries(iptPretraining)) {
  const restorer = await createRestorer({ weights, task, device: 'cpu' })
  const sums = [0, 0]
  for (let i = 0; i < count; i++) {
    const reference = await truth(i)
    const input = degrade(reference, counterRandom(0).fork(i))
    const output = await restorer.runPlanes(input)
    for (const [k, image] of [resizeTo(input, reference), output].entries())
      sums[k]! += measurePair(reference, in8Bits(image), ['psnr-y-diff'], { cropPx: scale })[0]! / count
  }
  await restorer.close()
  const [before = 0, after = 0] = sums
  console.log(`${task.padEnd(12)}${before.toFixed(2)}  ${after.toFixed(2)}  ${(after - before).toFixed(2)}`)
}
