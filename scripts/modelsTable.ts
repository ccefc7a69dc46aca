// Generates docs/models.md from the model cards. usage: npm run models

import { existsSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Machine } from '../bench/machine.ts'
import { elementCount } from '../src/core/data.ts'
import { writeAtomicSync } from '../src/files/atomicWrite.ts'
import { type LicenseId, licenses } from '../src/models/modelCard.ts'
import { defaultTasksOf, detection, tasks } from '../src/models/tasks.ts'
import { emptyInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { cards, figureOf, isOwn, type ModelCard } from '../src/registry/cards.ts'
import { downloads, formatBytes, sizeOf } from '../src/registry/downloads.ts'
import { networkOf } from '../src/registry/networks.ts'
import { packagedWeights } from '../src/runtime/resolveModel.ts'

export const modelsFile = fileURLToPath(new URL('../docs/models.md', import.meta.url))

/** Models with a paper of their own; the community's are listed by {@link fetchable}. */
const listed: readonly ModelCard[] = cards.filter(({ options }) => options !== undefined)

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
  /** Seconds by model id. */
  readonly seconds: Readonly<Record<string, number>>
}

const times: Times = JSON.parse(
  readFileSync(fileURLToPath(new URL('../bench/modelTimes.json', import.meta.url)), 'utf8'),
)

function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}

function row(card: ModelCard, isDefault: boolean): readonly string[] {
  const { id, model, title, license, options = {}, paper } = card
  const parameters = valueCount(networkOf(model).fromOptions(options).create(emptyInit()).network)
  const arxiv = paper.replace('arXiv:', '')
  return [
    `\`${id}\`${isDefault ? ' (default)' : ''}`,
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

/** Number of values in a network, buffers included; a tensor with several keys counts once. */
function valueCount(network: object): number {
  const tensors = new Set(stateDict(network).values())
  return [...tensors].reduce((sum, { shape }) => sum + elementCount(shape as readonly number[]), 0)
}

function timeOf({ id, sampling }: ModelCard): string {
  const seconds = times.seconds[id]
  if (seconds === undefined) return 'not measured'
  return sampling ? `${seconds} s per step` : `${seconds} s`
}

function figureOn(card: ModelCard): string {
  const { reference } = card
  return reference ? `${figureOf(card)}, ${reference.set}, ${reference.protocol}` : 'none yet'
}

/** Models of which a file alone tells the options. */
function fetchable(): string {
  const columns = ['model', 'task', 'what it is for', 'size', 'license', 'author']
  const rows = downloads
    .filter(({ card }) => card?.options === undefined)
    .map((one) => {
      const { id, card, title, license, author } = one
      const size = sizeOf(one)
      const task = card ? `${card.task}${card.scale > 1 ? ` ×${card.scale}` : ''}` : 'metric'
      const figure = card?.reference ? `; ${figureOn(card)}` : ''
      const caution = card?.mayInvent ? '; may invent detail' : ''
      const cells = [
        `\`${id}\``,
        task,
        `${title}${figure}${caution}`,
        size === undefined ? '' : formatBytes(size),
      ]
      return [...cells, licenses[license].isCommercial ? license : `${license}, non-commercial`, author]
    })
  return tableOf(columns, rows)
}

function weightsOf({ id, checkpoint, guide }: ModelCard): string {
  const packaged = packagedWeights(id)
  if (existsSync(packaged)) return `in the package, ${megabytes(statSync(packaged).size)}`
  if (isOwn({ id, checkpoint })) return 'none yet'
  const isFetchable = downloads
    .find((one) => one.id === id)
    ?.files.every(({ address }) => address !== undefined)
  return `\`${checkpoint}\`${guide ? ` and \`${guide}\`` : ''}${isFetchable ? `, \`limpid fetch ${id}\`` : ''}`
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

/** Expected content of docs/models.md. */
export function modelsPage(): string {
  const sections = [...tasks, detection].map(({ id, title }) => {
    const does = (card: ModelCard) => card.task === id || defaultTasksOf(card.id).includes(id)
    const rows = listed.filter(does).map((card) => row(card, defaultTasksOf(card.id).includes(id)))
    return `## ${title}: \`${id}\`\n\n${tableOf(columns, rows)}`
  })
  const notes = (Object.keys(licenses) as LicenseId[]).map(
    (id) => `- ${id}: ${licenses[id].title}. ${licenses[id].note}`,
  )
  return `<!-- Generated by npm run models from src/registry/cards.ts; do not edit. -->

# Models

\`\`\`sh
limpid models
limpid models show light-photo
limpid restore photo.jpg --model light-photo
\`\`\`

The first two commands print what this page lists. \`--task\` without \`--model\` selects the model marked \`(default)\`.

| Column | Meaning |
| --- | --- |
| parameters | values in the network that runs; an official file may hold more |
| size | the weights as float32 |
| time | for ${times.side} × ${times.side} pixels on ONNX Runtime ${times.machine.onnxruntime}, ${times.machine.cpu} with ${times.machine.cores} cores, after the network is loaded; \`npm run bench:models\` measures your machine |
| time per step | for networks that sample: 100 steps by default, \`light-universal\` 2 |
| figure | PSNR with test set and convention, from the network's paper or measured for Limpid's own networks; accuracy for detectors |
| weights | "in the package", the official file to pass with \`--weights FILE\` ([official-weights.md](official-weights.md)), or the command that fetches it |

Figures of different conventions are not comparable. [evaluate.md](evaluate.md) shows how to reproduce one.

${sections.join('\n\n')}

## Models to fetch

\`limpid fetch NAME\` fetches these too, and \`--model NAME\` uses them: [use-community-models.md](use-community-models.md).

${fetchable()}

## Licenses of the weights

${notes.join('\n')}
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = modelsPage()
  const isNew = !existsSync(modelsFile) || readFileSync(modelsFile, 'utf8') !== page
  if (isNew) writeAtomicSync(modelsFile, [new TextEncoder().encode(page)], { overwrite: true })
  process.stdout.write(`${modelsFile}${isNew ? '' : ' is up to date'}\n`)
}
