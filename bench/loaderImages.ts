// Images for the loader benchmark, as PNG for us and decoded for the reference: smooth colors with grain,
// which compress like photos.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { counterRandom } from '../src/core/random.ts'

const width = 1024
const height = 768
const count = 24

/** Writes the images to a folder and returns its path. */
export async function writeLoaderImages(scratch: string): Promise<string> {
  const folder = join(scratch, 'images')
  mkdirSync(folder)
  const grain = new Float32Array(width * height * 3)
  for (let i = 0; i < count; i++) {
    counterRandom(i).fillNormal(grain)
    const data = Uint8Array.from(grain, (noise, k) => {
      const x = Math.floor(k / 3) % width
      const y = Math.floor(k / 3 / width)
      return 127 + 90 * Math.sin(x / 50 + i + (k % 3)) * Math.cos(y / 70) + 4 * noise
    })
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(folder, `${i}.png`))
    writeFileSync(join(folder, `${i}.npy`), npy(data))
  }
  return folder
}

/** NumPy's file format, version 1.0. */
function npy(data: Uint8Array): Uint8Array {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${height}, ${width}, 3), }`
  const header = `${text.padEnd(117)}\n`
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([header.length, 0]),
    Buffer.from(header),
    data,
  ])
}
