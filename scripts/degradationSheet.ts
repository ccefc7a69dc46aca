// Writes docs/degradations.html: every degradation from weak to strong on two photos, with its SPEC.
// usage: npm run degradations [-- FILE]

import { fileURLToPath } from 'node:url'
import { counterRandom } from '../src/core/random.ts'
import { decodeImage } from '../src/data/decode.ts'
import { encodeImage } from '../src/data/encode.ts'
import type { Image } from '../src/data/image.ts'
import { parseChain } from '../src/degrade/chain.ts'
import { degradations } from '../src/degrade/degradationTable.ts'
import { writeAtomicSync } from '../src/files/atomicWrite.ts'

type Name = keyof typeof degradations
type Levels = readonly [low: string, medium: string, high: string]

/** Settings from weak to strong; degradations with several shapes or kernels have several rows. */
const levels: Readonly<Record<Name, readonly Levels[]>> = {
  blur: [
    ['sigma=0.8', 'sigma=1.6', 'sigma=3'],
    ['kernel=disc,radius=1.5', 'kernel=disc,radius=3', 'kernel=disc,radius=5'],
    ['kernel=shake,length=6', 'kernel=shake,length=14', 'kernel=shake,length=26'],
    ['kernel=sinc,cutoff=2', 'kernel=sinc,cutoff=1.4', 'kernel=sinc,cutoff=0.9'],
  ],
  resize: [['scale=0.5', 'scale=0.3333', 'scale=0.25']],
  noise: [['sigma=10,clip=on', 'sigma=25,clip=on', 'sigma=50,clip=on']],
  poisson: [['peak=256,scale=1', 'peak=64,scale=1', 'peak=16,scale=1']],
  speckle: [['sigma=15', 'sigma=35', 'sigma=70']],
  'salt-and-pepper': [['amount=0.01', 'amount=0.04', 'amount=0.12']],
  'camera-noise': [['shot=0.001,read=0.5', 'shot=0.006,read=2', 'shot=0.03,read=6']],
  srmd: [
    [
      'kernel=iso,sigma=0.8,noise=0,scale=2',
      'kernel=iso,sigma=2,noise=5,scale=2',
      'kernel=iso,sigma=2.4,noise=15,scale=4',
    ],
  ],
  sharpen: [['amount=0.4,sigma=0.7', 'amount=1,sigma=1', 'amount=2,sigma=1.5']],
  jpeg: [['quality=40', 'quality=20', 'quality=8']],
  'jpeg-blocks': [['quality=14', 'quality=9', 'quality=4']],
  rain: [
    [
      'amount=25,length=18,veil=0.05',
      'amount=70,length=24,veil=0.15',
      'amount=140,length=34,width=1.4,veil=0.35',
    ],
  ],
  snow: [['amount=25,size=3,veil=0.02', 'amount=80,size=4,veil=0.1', 'amount=180,size=6,veil=0.25']],
  raindrops: [['amount=3,size=16', 'amount=10,size=20', 'amount=20,size=32']],
  haze: [['density=0.5,light=0.9', 'density=1.2,light=0.9', 'density=2.4,light=0.9']],
  'low-light': [['stops=1.5,shot=0.0005', 'stops=2.5,shot=0.0015', 'stops=3.5,shot=0.003']],
  shadow: [
    ['shape=edge,strength=0.4', 'shape=edge,strength=0.6', 'shape=edge,strength=0.8'],
    ['shape=foliage,strength=0.4', 'shape=foliage,strength=0.6', 'shape=foliage,strength=0.8'],
  ],
  holes: [
    [
      'shape=strokes,thickness=3,coverage=0.05',
      'shape=strokes,thickness=6,coverage=0.15',
      'shape=strokes,thickness=12,coverage=0.35',
    ],
    [
      'shape=text,thickness=2,coverage=0.04',
      'shape=text,thickness=4,coverage=0.12',
      'shape=text,thickness=6,coverage=0.25',
    ],
  ],
  wild: [['', '', '']],
}

const photos = ['lake', 'kitten'] as const
const seed = 4

function specOf(name: Name, settings: string): string {
  return settings === '' ? name : `${name}:${settings}`
}

async function dataUrl(image: Image): Promise<string> {
  const encoded = { image, alpha: undefined, depth: 8, format: 'webp', metadata: undefined } as const
  return `data:image/webp;base64,${Buffer.from(await encodeImage(encoded, { quality: 55 })).toString('base64')}`
}

/** Renders a table row: both photos at each level. */
async function row(name: Name, specs: Levels, images: readonly Image[]): Promise<string> {
  const cells = specs.map(async (settings, level) => {
    const spec = specOf(name, settings)
    // A degradation without settings shows a different seed in each column.
    const levelSeed = settings === '' ? seed + 3 * level : seed
    const urls = await Promise.all(
      images.map((image) => dataUrl(parseChain(spec)(image, counterRandom(levelSeed)))),
    )
    const photoTags = urls.map((url) => `<img src="${url}" alt="${spec}">`).join('')
    return `<td>${photoTags}<code>${spec}</code> seed ${levelSeed}</td>`
  })
  return `<tr>${(await Promise.all(cells)).join('')}</tr>`
}

async function section(name: Name, images: readonly Image[]): Promise<string> {
  const { summary, source } = degradations[name]
  const rows = await Promise.all(levels[name].map((specs) => row(name, specs, images)))
  const head = `<h2>${name}</h2><p>${summary}. <small>${source}</small></p>`
  return `<section>${head}<table>${rows.join('')}</table></section>`
}

const style = `
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #222; background: #fff }
td { vertical-align: top; width: 33%; padding: 0 .5rem .8rem 0; font-size: 12px; color: #666 }
img { display: block; width: 100%; aspect-ratio: 3 / 2; margin-bottom: 3px; image-rendering: pixelated }
code { color: #222; overflow-wrap: anywhere } table { width: 100%; border-spacing: 0 } small { color: #666 } h2 { margin-bottom: 0 } p { margin-top: .2rem }`

async function page(): Promise<string> {
  const files = photos.map((name) => fileURLToPath(new URL(`../docs/photos/${name}.webp`, import.meta.url)))
  const images = await Promise.all(
    files.map(async (file) => (await decodeImage(file, { colors: 'srgb' })).image),
  )
  const sections: string[] = []
  for (const name of Object.keys(levels) as Name[]) {
    process.stderr.write(`${name}\n`)
    sections.push(await section(name, images))
  }
  const originals = (await Promise.all(images.map(dataUrl))).map(
    (source) => `<td><img src="${source}" alt="clean"></td>`,
  )
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Degradations of Limpid</title><style>${style}</style>
<h1>Degradations</h1>
<p>Every degradation that <code>limpid degrade --with SPEC --seed N</code> and recipes can apply, from weak to strong, with the SPEC below
each photo. Generated by <code>npm run degradations</code>.</p>
<table><tr>${originals.join('')}<td></td></tr></table>
${sections.join('\n')}
<p><small>Photos: Lake Sherburne and kitten on lawn, CC0-1.0, from
<a href="https://github.com/BuddiesOfBudgie/budgie-backgrounds">BuddiesOfBudgie/budgie-backgrounds</a>, scaled down.</small></p>
</html>
`
}

const out = process.argv[2] ?? fileURLToPath(new URL('../docs/degradations.html', import.meta.url))
writeAtomicSync(out, [new TextEncoder().encode(await page())], { overwrite: true })
process.stdout.write(`${out}\n`)
