// Measures task auto on photos with known damage, and light-photo alone, beside an oracle that knows the truth and
// takes, of the packaged networks at several strengths and of pairs of them, what comes closest to it: clean
// photos that are changed, damaged photos that lose more than 0.1 dB, and how much of the oracle's gain is kept.
// usage: npx tsx scripts/autoTable.ts [--guide FILE] [--every N] UNDAMAGED…

import { parseArgs } from 'node:util'
import { type Image, in8Bits } from '../src/data/image.ts'
import { AutoRestorer } from '../src/runtime/autoRestorer.ts'
import { Restorer } from '../src/runtime/restorer.ts'
import { damagedPhotos, photosOf } from './damagedPhotos.ts'

const { values, positionals: folders } = parseArgs({
  allowPositionals: true,
  options: { guide: { type: 'string' }, every: { type: 'string', default: '1' } },
})
if (folders.length === 0)
  throw new Error('usage: npx tsx scripts/autoTable.ts [--guide FILE] [--every N] UNDAMAGED…')

/** PSNR of RGB in 8 bits. */
function psnrOf(truth: Image, image: Image): number {
  let sum = 0
  for (let i = 0; i < truth.data.length; i++) {
    const level = Math.round(255 * Math.min(Math.max(image.data[i]!, 0), 1))
    sum += (level - 255 * truth.data[i]!) ** 2
  }
  return 10 * Math.log10(255 ** 2 / Math.max(sum / truth.data.length, 1e-3))
}

const blend = (from: Image, to: Image, share: number): Image => ({
  ...to,
  data: to.data.map((value, i) => from.data[i]! + share * (value - from.data[i]!)),
})

const strengths = [0.25, 0.5, 0.75, 1]
const open = (model: string, task?: string) => Restorer.open({ model, task, device: 'cpu' })
const photo = await open('light-photo')
const cleaners = [photo, await open('light-denoise'), await open('light-weather', 'derain')]
const toners = [await open('light-tone', 'dehaze'), await open('light-tone', 'low-light')]

/** PSNR of the best that the networks can do, or of the photo as it is. */
async function oracle(truth: Image, image: Image): Promise<number> {
  let best = psnrOf(truth, image)
  const offer = (other: Image) => {
    best = Math.max(best, psnrOf(truth, other))
  }
  const full = await Promise.all([...cleaners, ...toners].map((one) => one.runPlanes(image)))
  for (const restored of full) for (const share of strengths) offer(blend(image, restored, share))
  for (const toner of toners) {
    const toned = await toner.runPlanes(full[0]!)
    for (const share of strengths) offer(blend(full[0]!, toned, share))
  }
  return best
}

/** Loss in decibels that counts. */
const lossDb = 0.1

interface Row {
  total: number
  changed: number
  lost: number
  gainDb: number
  oracleDb: number
}
type Rows = Map<string, Row>
await using auto = await AutoRestorer.open({ guide: values.guide, device: 'cpu' })
const methods = {
  auto: (image: Image) => auto.runPlanes(image),
  'light-photo alone': (image: Image) => photo.runPlanes(image),
}
const tables = Object.entries(methods).map(([method, restore]) => ({
  method,
  restore,
  rows: new Map() as Rows,
}))
for (const folder of folders)
  for await (const { index, name, image: truth } of photosOf(folder, Number(values.every)))
    for (const { damages, image } of damagedPhotos(truth, name, index)) {
      const key = damages.join(' + ') || 'none'
      const before = psnrOf(truth, image)
      const oracleDb = damages.length === 0 ? 0 : (await oracle(truth, image)) - before
      for (const { method, restore, rows } of tables) {
        const row = rows.get(key) ?? { total: 0, changed: 0, lost: 0, gainDb: 0, oracleDb: 0 }
        rows.set(key, row)
        const restored = in8Bits(await restore(image))
        row.total++
        if (restored.data.some((value, i) => value !== image.data[i])) row.changed++
        if (damages.length === 0) continue
        const gain = psnrOf(truth, restored) - before
        if (gain < -lossDb) {
          row.lost++
          console.log(`${method}: ${name}, ${key}: ${gain.toFixed(2)} dB`)
        }
        row.gainDb += gain
        row.oracleDb += oracleDb
      }
    }
await Promise.all([...cleaners, ...toners].map((one) => one.close()))

const print = (name: string, { total, changed, lost, gainDb, oracleDb }: Row) => {
  const cells = [
    String(total),
    `${((100 * changed) / total).toFixed(1)} %`,
    `${((100 * lost) / total).toFixed(1)} %`,
    (gainDb / total).toFixed(2),
    (oracleDb / total).toFixed(2),
  ]
  console.log(`${name.padEnd(24)}${cells.map((cell) => cell.padStart(9)).join('')}`)
}
for (const { method, rows } of tables) {
  console.log(`\n${method.padEnd(27)}photos  changed     lost   gain dB  oracle dB`)
  for (const [name, row] of rows) print(name, row)
  const damaged = [...rows].flatMap(([name, row]) => (name === 'none' ? [] : [row]))
  const sum = (of: (row: Row) => number) => damaged.reduce((total, row) => total + of(row), 0)
  print('all damage', {
    total: sum((row) => row.total),
    changed: sum((row) => row.changed),
    lost: sum((row) => row.lost),
    gainDb: sum((row) => row.gainDb),
    oracleDb: sum((row) => row.oracleDb),
  })
  const kept = (100 * sum((row) => row.gainDb)) / sum((row) => row.oracleDb)
  console.log(`gain kept: ${kept.toFixed(1)} %`)
}
