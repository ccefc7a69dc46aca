// Writes a page that shows the training targets of `truth` at 100 %: synthetic pictures and recolored photos.
// npm run pictures [-- FILE] (docs/training-pictures.html)

import { fileURLToPath } from 'node:url'
import { counterRandom } from '../src/core/random.ts'
import { decodeImage } from '../src/data/decode.ts'
import { encodeImage } from '../src/data/encode.ts'
import { type Image, quantize } from '../src/data/image.ts'
import { pictures } from '../src/degrade/pictures/pictureTable.ts'
import { writeAtomicSync } from '../src/files/atomicWrite.ts'
import { folder } from '../src/train/samples/images.ts'
import { truth } from '../src/train/samples/truth.ts'

const side = 96
const gap = 4
const [columns, rows] = [9, 2]

/** Arranges tiles in one image. */
function sheet(tiles: readonly Image[]): Image {
  const width = columns * (side + gap) - gap
  const height = rows * (side + gap) - gap
  const data = new Float32Array(3 * width * height).fill(1)
  for (const [i, tile] of tiles.entries()) {
    const left = (i % columns) * (side + gap)
    const top = Math.floor(i / columns) * (side + gap)
    for (let row = 0; row < 3 * side; row++) {
      const [c, y] = [Math.floor(row / side), row % side]
      const from = tile.data.subarray(row * side, (row + 1) * side)
      data.set(from, (c * height + top + y) * width + left)
    }
  }
  return { width, height, channels: 3, data }
}

async function picture(image: Image, alt: string): Promise<string> {
  const encoded = { image, alpha: undefined, depth: 8, format: 'webp', metadata: undefined } as const
  const bytes = await encodeImage(encoded, { quality: 88 })
  const source = `data:image/webp;base64,${Buffer.from(bytes).toString('base64')}`
  return `<img src="${source}" width="${image.width}" height="${image.height}" alt="${alt}">`
}

async function section(name: string, summary: string, draw: (seed: number) => Image): Promise<string> {
  const tiles = Array.from({ length: columns * rows }, (_, seed) => draw(seed))
  return `<section><h2>${name}</h2><p>${summary}.</p>${await picture(sheet(tiles), name)}</section>`
}

/** Sections with photos as training draws them. */
async function photoSections(): Promise<readonly string[]> {
  const file = fileURLToPath(new URL('../docs/photos/lake.webp', import.meta.url))
  const { image } = await decodeImage(file, { colors: 'srgb' })
  const { width, height, channels } = image
  const data = quantize(image, 255, new Uint8Array(image.data.length))
  const drawOf = (seed: number) => ({
    index: 0,
    name: 'lake',
    views: { target: { width, height, channels, hasAlpha: false, data } },
    data: { images: folder('') },
    phase: { steps: 1, crop: side, batch: 1 },
    step: 0,
    random: counterRandom(seed),
    shared: counterRandom(seed),
  })
  const shrunk = truth({ synthetic: 0, whole: 0 })
  const whole = truth({ synthetic: 0, whole: 1 })
  return [
    await section('photos', 'shrunk crops in other colors and exposures', (seed) => shrunk(drawOf(seed))),
    await section('whole photos', 'whole photos fitted into the crop', (seed) => whole(drawOf(seed))),
  ]
}

const style = `
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 56rem; padding: 0 1rem; color: #222; background: #fff }
img { display: block; image-rendering: pixelated } h2 { margin-bottom: 0 } p { margin-top: .2rem } code { color: #222 } small { color: #666 }`

async function page(): Promise<string> {
  const sections: string[] = []
  for (const [name, { summary, draw }] of Object.entries(pictures)) {
    process.stderr.write(`${name}\n`)
    const size = { width: side, height: side }
    sections.push(await section(name, summary, (seed) => draw(size, counterRandom(seed))))
  }
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Training pictures of Limpid</title><style>${style}</style>
<h1>Training pictures</h1>
<p>Targets that <code>truth()</code> draws for training on few photos: synthetic pictures of what photos rarely show,
and photos shrunk to remove their own noise and compression, in other colors. Seeds 0 to ${columns * rows - 1},
${side} px each. Written by <code>npm run pictures</code>.</p>
${sections.join('\n')}
${(await photoSections()).join('\n')}
<p><small>Photo: Lake Sherburne, CC0-1.0, from
<a href="https://github.com/BuddiesOfBudgie/budgie-backgrounds">BuddiesOfBudgie/budgie-backgrounds</a>, scaled down.</small></p>
</html>
`
}

const out = process.argv[2] ?? fileURLToPath(new URL('../docs/training-pictures.html', import.meta.url))
writeAtomicSync(out, [new TextEncoder().encode(await page())], { overwrite: true })
process.stdout.write(`${out}\n`)
