// Measures how often light-inspect and the estimates name all damage of medium severity or more and nothing
// else: on undamaged photos, with known damage of each kind and mixtures of them, and, for folders of damaged
// photos, how often their kind is among what is found.
// usage: npx tsx scripts/inspectTable.ts WEIGHTS UNDAMAGED… DAMAGED=KIND[,KIND]… [--fit] [--dump FILE]
// --fit prints the calibration of src/auto/plan/rules.ts, fitted on UNDAMAGED. --dump writes what the network and the estimates say about each photo, a JSON document a line.

import { appendFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { estimateDamage } from '../src/auto/estimates/estimate.ts'
import { findDamage } from '../src/auto/plan/findings.ts'
import { medium } from '../src/auto/plan/rules.ts'
import type { Image } from '../src/data/image.ts'
import { availableCores } from '../src/files/cores.ts'
import { type DamageId, damageIds } from '../src/models/damages.ts'
import { openInspector } from '../src/runtime/inspector.ts'
import { damagedPhotos, labeledFolder, photosOf } from './damagedPhotos.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { dump: { type: 'string' }, fit: { type: 'boolean' } },
})
const [weights, ...folders] = positionals
if (!weights || folders.length === 0)
  throw new Error(
    'usage: npx tsx scripts/inspectTable.ts WEIGHTS UNDAMAGED… DAMAGED=KIND[,KIND]… [--fit] [--dump FILE]',
  )
const inspector = await openInspector({ weights, threads: availableCores(), device: 'cpu' })
if (values.dump) writeFileSync(values.dump, '')

/** What the network says of photos whose damage is known. */
const known: { readonly damages: readonly DamageId[]; readonly presence: ArrayLike<number> }[] = []

interface Looked {
  readonly folder: string
  readonly name: string
  readonly damages?: readonly DamageId[]
}

/** Kinds of medium severity or more that are found. */
async function lookAt(image: Image, about: Looked): Promise<readonly DamageId[]> {
  const estimates = estimateDamage(image)
  const verdict = await inspector.inspect(image, estimates)
  if (about.damages) known.push({ damages: about.damages, presence: verdict.presence })
  if (values.dump) {
    const { presence, severity, form } = verdict
    const told = { presence: Array.from(presence), severity: Array.from(severity), form: Array.from(form) }
    appendFileSync(values.dump, `${JSON.stringify({ ...about, ...told, estimates })}\n`)
  }
  const found = findDamage(verdict, estimates)
  return found.filter(({ severity }) => severity >= medium).map(({ damage }) => damage)
}

interface Row {
  right: number
  total: number
  readonly missed: Map<string, number>
  readonly others: Map<string, number>
}
const rows = new Map<string, Row>()

function count(
  name: string,
  isRight: boolean,
  { missed, others }: Record<'missed' | 'others', readonly string[]>,
) {
  const row = rows.get(name) ?? { right: 0, total: 0, missed: new Map(), others: new Map() }
  rows.set(name, row)
  row.total++
  if (isRight) row.right++
  const add = (to: Map<string, number>, kind: string) => to.set(kind, (to.get(kind) ?? 0) + 1)
  for (const kind of missed) add(row.missed, kind)
  for (const kind of others) add(row.others, kind)
}

for (const { folder, kinds } of folders.map(labeledFolder)) {
  for await (const { index, name, image } of photosOf(folder)) {
    if (kinds.length > 0) {
      const found = await lookAt(image, { folder, name })
      const isRight = found.some((kind) => kinds.includes(kind))
      const others = found.filter((kind) => !kinds.includes(kind))
      count(`${folder}: ${kinds.join(' or ')}`, isRight, { missed: [], others })
      continue
    }
    for (const { damages, image: damaged } of damagedPhotos(image, name, index)) {
      const found = await lookAt(damaged, { folder, name, damages })
      const missed = damages.filter((kind) => !found.includes(kind))
      const others = found.filter((kind) => !damages.includes(kind))
      count(damages.join(' + ') || 'none', missed.length + others.length === 0, { missed, others })
    }
  }
}
await inspector.close()
const list = (counts: ReadonlyMap<string, number>) =>
  [...counts].sort((a, b) => b[1] - a[1]).map(([kind, times]) => `${kind} ${times}`)
for (const [name, { right, total, missed, others }] of rows) {
  const wrong = [...list(missed).map((one) => `missed ${one}`), ...list(others).map((one) => `also ${one}`)]
  console.log(
    `${name.padEnd(24)}${((100 * right) / total).toFixed(1).padStart(8)} % of ${total}  ${wrong.join(', ')}`,
  )
}

/** Factor and offset of a logistic regression on one value, by Newton's method. */
function logisticFit(values: readonly number[], isThere: readonly boolean[]): readonly [number, number] {
  let [factor, offset] = [1, 0]
  for (let step = 0; step < 50; step++) {
    // A little weight decay, so that what separates perfectly stays finite.
    const decay = 0.01
    let [g0, g1, h00, h01, h11] = [decay * factor, decay * offset, decay, 0, decay]
    for (const [i, value] of values.entries()) {
      const p = 1 / (1 + Math.exp(-(factor * value + offset)))
      const [error, weight] = [p - (isThere[i] ? 1 : 0), p * (1 - p)]
      g0 += error * value
      g1 += error
      h00 += weight * value * value
      h01 += weight * value
      h11 += weight
    }
    const determinant = h00 * h11 - h01 * h01
    factor -= (h11 * g0 - h01 * g1) / determinant
    offset -= (h00 * g1 - h01 * g0) / determinant
  }
  return [factor, offset]
}

if (values.fit)
  for (const [k, kind] of damageIds.entries()) {
    const fitted = logisticFit(
      known.map(({ presence }) => presence[k]!),
      known.map(({ damages }) => damages.includes(kind)),
    )
    console.log(`${kind}: [${fitted.map((value) => value.toFixed(2)).join(', ')}]`)
  }
