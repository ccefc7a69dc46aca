// Makes training pairs for light-detect: square crops of photos, resized for CLIP, with each of the ten kinds
// of degradation in <kind>/LQ and clean in <kind>/GT. Skips existing pairs, so that a later run can add more.
// usage: npx tsx scripts/kindPairs.ts PHOTOS OUTPUT [SQUARES per photo and kind]

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { counterRandom } from '../src/core/random.ts'
import { fromBytes, resizeBytes, toBytes } from '../src/data/clip/clipImage.ts'
import { decodeBytes } from '../src/data/decode.ts'
import { encodeImage } from '../src/data/encode.ts'
import type { Image } from '../src/data/image.ts'
import { cutPatch, drawPlace } from '../src/data/patches.ts'
import { openSource, specOf } from '../src/data/sources/datasets.ts'
import { writeAtomicSync } from '../src/files/atomicWrite.ts'
import { degradationWords } from '../src/models/daclip/words.ts'
import { degradeByKind } from '../src/train/networks/daClipKinds.ts'

const [photos, output, perKind = '10'] = process.argv.slice(2)
const count = Number(perKind)
if (!photos || !output || !Number.isInteger(count) || count < 1)
  throw new Error('usage: npx tsx scripts/kindPairs.ts PHOTOS OUTPUT [SQUARES per photo and kind]')

/** Sides of the squares. */
const minPx = 200
const maxPx = 440
/** Side of CLIP's input. */
const clipPx = 224

async function save(file: string, image: Image): Promise<void> {
  const resized = fromBytes(resizeBytes(toBytes(image), clipPx, clipPx))
  const bytes = await encodeImage({ image: resized, alpha: undefined, depth: 8, format: 'png' })
  writeAtomicSync(file, [bytes], { overwrite: true })
}

for (const kind of degradationWords)
  for (const view of ['LQ', 'GT']) await mkdir(join(output, kind, view), { recursive: true })
const source = await openSource(await specOf(photos))
for (let i = 0; i < source.length; i++) {
  const name = source.name(i).replaceAll('/', '--')
  const file = (kind: string, view: string, n: number) => join(output, kind, view, `${name}-${n}.png`)
  const { pixels } = await decodeBytes(await source.read(i), { name, colors: 'srgb' })
  for (const [k, kind] of degradationWords.entries()) {
    for (let n = 0; n < count; n++) {
      if (existsSync(file(kind, 'GT', n))) continue
      const random = counterRandom(0).fork(i).fork(k).fork(n)
      const largestPx = Math.min(pixels.width, pixels.height, maxPx)
      const sidePx = Math.min(minPx + random.integer(Math.max(largestPx - minPx, 0) + 1), largestPx)
      const clean = cutPatch(
        pixels,
        { ...drawPlace(pixels, sidePx, random, { isUpright: true }), mode: 0 },
        3,
      )
      await save(file(kind, 'LQ', n), degradeByKind(clean, k, random.fork(0)))
      await save(file(kind, 'GT', n), clean)
    }
  }
  process.stderr.write(`\r${i + 1} of ${source.length} photos `)
}
process.stderr.write('\n')
