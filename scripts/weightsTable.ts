// Measures the packaged weights on known damage, and writes the tables of weights/README.md: every model on its own damage, on that of the others,
// and on clean photos. Figures of unchanged weights are kept (weights/results.json).
// usage: npm run weights:table -- SETS [MODEL...]     SETS holds the folders CBSD68, GB82-CC0 and Set5

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hashFile } from '../src/checkpoints/files.ts'
import { writeAtomicSync } from '../src/files/atomicWrite.ts'
import { cards, type ModelCard } from '../src/registry/cards.ts'
import { packagedWeights } from '../src/runtime/resolveModel.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = join(root, 'weights/README.md')
const store = join(root, 'weights/results.json')
const program = join(root, 'dist/src/cli/main.js')

/** One figure: a test set and its damage; `none` compares the set with itself. */
interface Case {
  readonly set: string
  readonly damage: string
  /** How far the damage shrinks, which the model undoes. */
  readonly scale: 1 | 2 | 4
}

const damaged = (set: string, damage: string): Case => ({ set, damage, scale: 1 })
const blurred = (kernel: string) => damaged('CBSD68', `blur:kernel=${kernel} noise:sigma=1.5 jpeg:quality=90`)

const restoring: readonly Case[] = [
  damaged('GB82-CC0', 'none'),
  damaged('CBSD68', 'none'),
  ...[10, 20, 40, 70].map((quality) => damaged('CBSD68', `jpeg:quality=${quality}`)),
  ...[15, 25, 50].map((sigma) => damaged('CBSD68', `noise:sigma=${sigma}`)),
  damaged('CBSD68', 'camera-noise:shot=0.004,read=2 jpeg:quality=80'),
  damaged('CBSD68', 'haze'),
  damaged('CBSD68', 'low-light'),
  damaged('CBSD68', 'rain'),
  damaged('CBSD68', 'snow'),
  damaged('CBSD68', 'raindrops'),
  ...['line,length=5', 'line,length=9', 'line,length=13'].map(blurred),
  ...['disc,radius=1.5', 'disc,radius=2.5', 'disc,radius=3.5'].map(blurred),
]

/** Shrunk bicubically; truths are cropped to multiples of the scale, as in published tables. */
const enlarging: readonly Case[] = ([2, 4] as const).flatMap((scale) =>
  ['Set5', 'CBSD68'].map((set) => ({ set, damage: `ipt-sr-x${scale}`, scale })),
)

/** Mean over a set in dB, and its worst photo. */
interface Figure {
  readonly mean: number
  readonly least: number
}

/** Figures by command, of weights with this hash. */
interface Measured {
  readonly sha256: string
  readonly figures: Readonly<Record<string, Figure>>
}

type Results = Record<string, Measured>

const keyOf = ({ set, damage }: Case) => `${set}: ${damage}`

function evaluate(model: string, { set, damage, scale }: Case, sets: string): Figure {
  const data = join(sets, set)
  const metric = scale > 1 ? 'psnr-y-diff' : 'psnr'
  const restored = damage === 'none' ? ['--truth', data] : ['--degrade', damage]
  const text = execFileSync(
    process.execPath,
    [
      ...[program, 'eval', '--data', data, '--json'],
      ...(model === 'none'
        ? ['--none']
        : ['--model', model, ...(scale > 1 ? ['--scale', String(scale)] : [])]),
      ...(scale > 1 ? ['--protocol', damage] : [...restored, '--metrics', metric]),
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const { blocks } = JSON.parse(text)
  const values: readonly number[] = blocks[0].rows.map((row: { values: Record<string, number | null> }) =>
    // An identical photo has an infinite PSNR, which JSON cannot hold.
    Math.min(row.values[metric] ?? 100, 100),
  )
  return { mean: values.reduce((a, b) => a + b, 0) / values.length, least: Math.min(...values) }
}

const measurable = cards.filter(
  ({ id, task, sampling }) => existsSync(packagedWeights(id)) && task !== 'detect' && !sampling,
)

/** Measures what is missing, and stores every figure as soon as it is known. */
function measure(
  results: Results,
  model: string,
  { cases, sets }: { cases: readonly Case[]; sets: string },
): void {
  const sha256 = model === 'none' ? '' : hashFile(packagedWeights(model))
  const kept = results[model]?.sha256 === sha256 ? results[model].figures : {}
  let figures = kept
  for (const [i, one] of cases.entries()) {
    if (figures[keyOf(one)]) continue
    process.stderr.write(`${model} ${i + 1}/${cases.length}: ${keyOf(one)}\n`)
    figures = { ...figures, [keyOf(one)]: evaluate(model, one, sets) }
    results[model] = { sha256, figures }
    save(store, `${JSON.stringify(results, undefined, 1)}\n`)
  }
}

function save(path: string, text: string): void {
  writeAtomicSync(path, [new TextEncoder().encode(text)], { overwrite: true })
}

function table(results: Results, cases: readonly Case[], models: readonly ModelCard[]): string {
  const columns = ['set', 'damage', 'input', ...models.map(({ id }) => id)]
  const rows = cases.map((one) => {
    const figureOf = (model: string) => results[model]?.figures[keyOf(one)]
    const cell = (figure: Figure | undefined) => {
      if (!figure) return ''
      return one.damage === 'none' ? `at least ${figure.least.toFixed(1)}` : figure.mean.toFixed(2)
    }
    const input = one.damage === 'none' ? '' : cell(figureOf('none'))
    return [one.set, `\`${one.damage}\``, input, ...models.map(({ id }) => cell(figureOf(id)))]
  })
  return [columns, columns.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function section(results: Results): string {
  const keeping = measurable.filter(({ scale }) => scale === 1)
  const growing = measurable.filter(({ scale }) => scale > 1)
  return `PSNR in dB over RGB, rounded to 8 bits; "at least" is that of the worst photo of clean ones, compared with themselves. A row is measured by
\`limpid eval --model MODEL --data SET --metrics psnr --degrade 'DAMAGE'\`, a clean one with \`--truth SET\` instead of \`--degrade\`, and the input
with \`--none\` instead of the model.

${table(results, restoring, keeping)}

Enlargement: PSNR in dB on Y, by \`limpid eval --model MODEL --data SET --protocol ipt-sr-xN\`. The input is enlarged bicubically.

${table(results, enlarging, growing)}`
}

const begin = '<!-- Generated by npm run weights:table; do not edit. -->'
const end = '<!-- End of the generated part. -->'

function main([sets, ...wanted]: readonly string[]): void {
  if (sets === undefined) throw new Error('usage: npm run weights:table -- SETS [MODEL...]')
  const results: Results = existsSync(store) ? JSON.parse(readFileSync(store, 'utf8')) : {}
  measure(results, 'none', {
    cases: [...restoring.filter(({ damage }) => damage !== 'none'), ...enlarging],
    sets,
  })
  for (const { id, scale } of measurable)
    if (wanted.length === 0 || wanted.includes(id))
      measure(results, id, { cases: scale > 1 ? enlarging : restoring, sets })
  const text = readFileSync(page, 'utf8')
  const [before = '', rest = ''] = text.split(begin)
  const [, after = ''] = rest.split(end)
  save(page, `${before}${begin}\n\n${section(results)}\n\n${end}${after}`)
  process.stdout.write(`${page}\n`)
}

main(process.argv.slice(2))
