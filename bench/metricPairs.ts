// Image pairs for the benchmark `metrics`: CBSD68 and Set5 if their folder exists, else as many synthetic
// images of the same size, each with a noisy copy. Stored as bytes, so that both sides get identical values.

import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { counterRandom } from '../src/core/random.ts'
import { decodeImage } from '../src/data/decode.ts'
import { type Image, quantize } from '../src/data/image.ts'
import { addGaussianNoise } from '../src/degrade/noise.ts'
import { wave } from './measure.ts'

/** Writes pairs.json with the sizes, and pairs.u8 with reference and output of each pair, both [h w 3]. */
export async function writePairs(sets: string, folder: string): Promise<void> {
  const sizes: { readonly height: number; readonly width: number }[] = []
  const bytes: Uint8Array[] = []
  for await (const image of images(sets)) {
    const noisy = addGaussianNoise(image, 25, counterRandom(sizes.length))
    sizes.push({ height: image.height, width: image.width })
    for (const side of [image, noisy]) bytes.push(quantize(side, 255, new Uint8Array(image.data.length)))
  }
  writeFileSync(join(folder, 'pairs.u8'), Buffer.concat(bytes))
  writeFileSync(join(folder, 'pairs.json'), JSON.stringify(sizes))
}

async function* images(sets: string): AsyncGenerator<Image> {
  const folders = ['CBSD68', 'Set5'].map((set) => join(sets, set)).filter(existsSync)
  for (const folder of folders) {
    for (const name of readdirSync(folder).sort())
      yield (await decodeImage(join(folder, name), { colors: 'srgb' })).image
  }
  if (folders.length > 0) return
  const width = 481
  const height = 321
  const channels = 3
  for (let i = 0; i < 73; i++) {
    yield { width, height, channels, data: wave(channels * width * height, 0.01 + 0.001 * i) }
  }
}
