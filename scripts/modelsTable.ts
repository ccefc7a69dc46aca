// Writes the page of models from their cards: npm run models (docs/models.md)

import { existsSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Machine } from '../bench/machine.ts'
import { writeWhole } from '../src/checkpoints/files.ts'
import { elementCount } from '../src/core/data.ts'
import { type LicenseId, licenses } from '../src/models/modelCard.ts'
import { detection, isDefaultModel, tasks } from '../src/models/tasks.ts'
import { emptyInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { cards, figureOf, isOwn, type ModelCard } from '../src/registry/cards.ts'
import { networkOf } from '../src/registry/networks.ts'
import { packagedWeights } from '../src/runtime/resolveModel.ts'

export const modelsFile = fileURLToPath(new URL('../docs/models.md', import.meta.url))

const listed: readonly ModelCard[] = cards

const columns = [
  'model',
  'what it is for',
  'network',
  'parameters',
  'size',
  'time',
  'figure',
  'license',
  'weights',
]

interface Times {
  readonly machine: Machine
  readonly side: number
  /** By id of the model. */
  readonly seconds: Readonly<Record<string, number>>
}

const times: Times = JSON.parse(
  readFileSync(fileURLToPath(new URL('../bench/modelTimes.json', import.meta.url)), 'utf8'),
)

function table(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n')
}

function row(card: ModelCard): readonly string[] {
  const { id, model, title, license, options, paper } = card
  const parameters = valueCount(networkOf(model).fromOptions(options).create(emptyInit()).network)
  const arxiv = paper.replace('arXiv:', '')
  return [
    `\`${id}\`${isDefaultModel(card) ? ' (default)' : ''}`,
    title,
    `[${model}](https://arxiv.org/abs/${arxiv})`,
    `${(parameters / 1e6).toFixed(1)} M`,
    megabytes(4 * parameters),
    timeOf(card),
    figureOn(card),
    licenses[license].isCommercial ? license : `${license}, non-commercial`,
    weightsOf(card),
  ]
}

/** Of a network, those that no training changes included; one that goes by several keys counts once. */
function valueCount(network: object): number {
  const tensors = new Set(stateDict(network).values())
  return [...tensors].reduce((sum, { shape }) => sum + elementCount(shape as readonly number[]), 0)
}

function timeOf({ id, sampling }: ModelCard): string {
  const seconds = times.seconds[id]
  if (seconds === undefined) return 'not measured'
  return sampling ? `${seconds} s a step` : `${seconds} s`
}

function figureOn(card: ModelCard): string {
  const { reference } = card
  return reference ? `${figureOf(card)}, ${reference.set}, ${reference.protocol}` : 'none yet'
}

function weightsOf({ id, checkpoint, guide }: ModelCard): string {
  const packaged = packagedWeights(id)
  if (existsSync(packaged)) return `in the package, ${megabytes(statSync(packaged).size)}`
  if (isOwn({ id, checkpoint })) return 'none yet'
  return `\`${checkpoint}\`${guide ? ` and \`${guide}\`` : ''}`
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

/** The page as it should be in docs/. */
export function modelsPage(): string {
  const sections = [...tasks, detection].map(({ id, title }) => {
    const rows = listed.filter(({ task }) => task === id).map(row)
    return `## ${title}: \`${id}\`\n\n${table(rows)}`
  })
  const notes = (Object.keys(licenses) as LicenseId[]).map(
    (id) => `- ${id}: ${licenses[id].title}. ${licenses[id].note}`,
  )
  return `<!-- Written by npm run models from src/registry/cards.ts; do not edit. -->

# Models

Every model that \`--model ID\` names, by task. \`(default)\` is what \`--task\` takes where no model is named; where several are marked,
\`--scale\` chooses among them. \`limpid models show ID\` prints the same facts.

- **parameters** are those of the network that runs, **size** is what they take as float32. An official file may hold more.
- **time** is that of a picture of ${times.side} × ${times.side} on ONNX Runtime ${times.machine.onnxruntime}, ${times.machine.cpu} with ${times.machine.cores} cores, once the
  network is open; networks that sample take 100 steps unless told otherwise, \`light-universal\` 2. \`npm run bench:models\` measures yours.
- **figure** is the PSNR that the network's paper reports (of Limpid's own networks: the one measured), with the test set and the convention
  it was measured by; of what tells the damage, how often it is right. Figures of different conventions cannot be compared. How to repeat one: [evaluate.md](evaluate.md).
- **weights**: "in the package", or the name of the official file that you give with \`--weights FILE\`
  ([official-weights.md](official-weights.md)).

${sections.join('\n\n')}

## Licenses of the weights

${notes.join('\n')}
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = modelsPage()
  const isNew = !existsSync(modelsFile) || readFileSync(modelsFile, 'utf8') !== page
  if (isNew) writeWhole(modelsFile, [new TextEncoder().encode(page)])
  process.stdout.write(`${modelsFile}${isNew ? '' : ' is up to date'}\n`)
}
