// Small synthetic images for training tests.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'

/** Writes `count` color images, of 32 × 40 pixels by default. */
export async function writePictures(
  folder: string,
  count: number,
  { width = 32, height = 40 }: { readonly width?: number; readonly height?: number } = {},
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (let i = 0; i < count; i++) {
    const data = Uint8Array.from({ length: width * height * 3 }, (_, k) => {
      const x = Math.floor(k / 3) % width
      const y = Math.floor(k / 3 / width)
      return 127 + 100 * Math.sin((x * (i + 1)) / 7 + (k % 3)) * Math.cos((y * (i + 2)) / 9)
    })
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(folder, `${i}.png`))
  }
}
