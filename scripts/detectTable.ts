// Measures how often a DA-CLIP recognizes each of the ten kinds of degradation on photos, and with what it
// confuses them.
// usage: npx tsx scripts/detectTable.ts WEIGHTS IMAGES…

import { counterRandom } from '../src/core/random.ts'
import { decodeBytes } from '../src/data/decode.ts'
import { pixelsToPlanes } from '../src/data/image.ts'
import { openSource, specOf } from '../src/data/sources/datasets.ts'
import { degradationWords } from '../src/models/daclip/words.ts'
import { createDetector } from '../src/runtime/detector.ts'
import { degradeByKind } from '../src/train/networks/daClipKinds.ts'

const [weights, ...folders] = process.argv.slice(2)
if (!weights || folders.length === 0) throw new Error('usage: npx tsx scripts/detectTable.ts WEIGHTS IMAGES…')

await using detector = await createDetector({ weights, device: 'cpu' })
const counts = degradationWords.map(() => degradationWords.map(() => 0))
for (const folder of folders) {
  const source = await openSource(await specOf(folder))
  for (let i = 0; i < source.length; i++) {
    const { pixels } = await decodeBytes(await source.read(i), { name: source.name(i), colors: 'srgb' })
    const { image } = pixelsToPlanes(pixels)
    for (const kind of degradationWords.keys()) {
      const [first] = await detector.runPlanes(
        degradeByKind(image, kind, counterRandom(0).fork(i).fork(kind)),
      )
      const detected = degradationWords.indexOf(first?.degradation as (typeof degradationWords)[number])
      counts[kind]![detected]!++
    }
    process.stderr.write(`\r${folder}: ${i + 1} of ${source.length} `)
  }
}
process.stderr.write('\n')
const sum = (row: readonly number[]) => row.reduce((total, count) => total + count, 0)
for (const [kind, row] of counts.entries()) {
  const others = degradationWords.flatMap((word, i) => (i !== kind && row[i] ? `${word} ${row[i]}` : []))
  const percent = (100 * row[kind]!) / sum(row)
  console.log(
    `${degradationWords[kind]!.padEnd(16)}${percent.toFixed(1).padStart(6)} %  ${others.join(', ')}`,
  )
}
const correct = sum(counts.map((row, kind) => row[kind]!))
const total = sum(counts.map(sum))
console.log(`${'all'.padEnd(16)}${((100 * correct) / total).toFixed(1).padStart(6)} % of ${total}`)
