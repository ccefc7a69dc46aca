// limpid compare: figures of one image against another, or of a folder against a folder, and maps of what
// differs.

import { basename, join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { decodeImage } from '../../data/decode.ts'
import { encodeImage } from '../../data/encode.ts'
import type { Image } from '../../data/image.ts'
import { pairSources } from '../../data/sources/pairs.ts'
import { type Evaluation, evaluate, type Sample, type Unreadable } from '../../metrics/evaluate.ts'
import { describeMap, differenceMap, usualGain } from '../../metrics/report/differenceMap.ts'
import { figure } from '../../metrics/report/evaluationPage.ts'
import type { CompareOptions } from '../commands/measure.ts'
import { conclude } from '../io/conclude.ts'
import type { InputFile } from '../io/inputs.ts'
import {
  checkDocument,
  checkOutput,
  type Job,
  planOutputs,
  refuseCollisions,
  refuseOnStdout,
  targetOf,
} from '../io/outputPlan.ts'
import { countImages, isFolder, reporter } from '../io/shell.ts'
import { writeResult } from '../io/writeResult.ts'
import {
  checkMetrics,
  decodeFrom,
  describeCrop,
  failedRows,
  formatConventions,
  formatEvaluation,
  jsonReady,
  openImages,
  openMeasuring,
} from './metricSession.ts'

interface Request {
  readonly names: readonly string[]
  readonly cropPx: number
  readonly gain: number
  readonly limits: { readonly pixelLimit?: number }
}

export async function compareCommand(
  reference: string,
  output: string,
  options: CompareOptions,
): Promise<void> {
  const { metrics, crop, gain = usualGain, pixelLimit, report, overwrite } = options
  const request: Request = {
    names: checkMetrics(metrics),
    cropPx: crop,
    gain,
    limits: pixelLimit === undefined ? {} : { pixelLimit },
  }
  if (report !== undefined) checkDocument(report, overwrite)
  if (isFolder(reference) !== isFolder(output)) {
    const kinds = [reference, output].map((path) => (isFolder(path) ? 'a folder' : 'a file'))
    throw new RestoreError('usage', `compare: expected two images or two folders, got ${kinds.join(' and ')}`)
  }
  if (isFolder(reference)) await compareFolders(reference, output, request, options)
  else await compareImages(reference, output, request, options)
}

async function compareImages(
  reference: string,
  output: string,
  { names, cropPx, gain, limits }: Request,
  options: CompareOptions,
): Promise<void> {
  const [job] = planMaps([{ path: output, name: basename(output) }], [reference], { options, isMany: false })
  const [truth, image] = (await Promise.all(
    [reference, output].map(async (path) => (await decodeImage(path, { ...limits, colors: 'srgb' })).image),
  )) as [Image, Image]
  checkSizes(reference, truth, output, image)
  const measuring = openMeasuring({ names, weights: options.metricWeights, pictures: 1 })
  const sample = { name: output, input: image, reference: truth }
  let evaluation: Evaluation
  try {
    evaluation = await evaluate([sample], (input) => input, names, { cropPx, ...measuring })
  } finally {
    await measuring.close()
  }
  const [failure] = failedRows([evaluation])
  if (failure) throw failure.error
  const [row] = evaluation.rows
  if (job) await writeMap(job, differenceMap(truth, image, gain), options)
  if (job?.output === '-') return
  const values = { ...row?.values, ...evaluation.mean }
  const width = Math.max(...names.map(({ length }) => length))
  const lines = names.map((name) => {
    const shown = figure(values[name]).padStart(8)
    return `${name.padEnd(width)}  ${shown}  ${evaluation.conventions[name]}`
  })
  if (cropPx > 0) lines.push(describeCrop(cropPx))
  if (job) lines.push(`${job.output}: ${describeMap(gain)}`)
  const { conventions } = evaluation
  const facts = { reference, output, values, cropPx, conventions, ...mapFacts(job?.output, gain) }
  const ready = { document: jsonReady(facts), text: lines.join('\n') }
  conclude(options, { ...ready, failed: [], total: 1, isMany: false })
}

async function compareFolders(
  reference: string,
  output: string,
  { names, cropPx, gain, limits }: Request,
  options: CompareOptions,
): Promise<void> {
  const [truths, images] = pairSources(await openImages(reference), [await openImages(output)])
  if (!truths || !images) throw new TypeError('expected two sources')
  const files = Array.from({ length: images.length }, (_, i) => images.name(i))
  const named = files.map((name) => ({ path: join(output, name), name }))
  const maps = planMaps(named, [reference], { options, isMany: true })
  const measuring = openMeasuring({ names, weights: options.metricWeights, pictures: truths.length })
  const progress = reporter(options)
  async function* samples(): AsyncGenerator<Sample | Unreadable> {
    for (let i = 0; i < (truths?.length ?? 0); i++) {
      const name = images!.name(i)
      try {
        const truth = await decodeFrom(truths!, i, limits)
        const image = await decodeFrom(images!, i, limits)
        checkSizes(`${reference}/${truths!.name(i)}`, truth, `${output}/${name}`, image)
        const map = maps[i]
        if (map) await writeMap(map, differenceMap(truth, image, gain), options)
        yield { name, input: image, reference: truth }
      } catch (error) {
        yield { name, error }
      }
    }
  }
  const onRow = countImages(progress, 'comparing', truths.length)
  let evaluation: Evaluation
  try {
    evaluation = await evaluate(samples(), (input) => input, names, { cropPx, onRow, ...measuring })
  } finally {
    progress.done()
    await measuring.close()
  }
  const hasFigures = evaluation.failed < evaluation.rows.length
  const lines = hasFigures ? [formatEvaluation(evaluation), formatConventions(evaluation)] : []
  if (options.map !== undefined) lines.push(`${options.map}: ${describeMap(gain)}`)
  const document = { reference, output, ...evaluation, ...mapFacts(options.map, gain) }
  const ready = { document: jsonReady(document), text: hasFigures ? lines.join('\n\n') : '' }
  const failed = failedRows([evaluation])
  conclude(options, { ...ready, failed, total: evaluation.rows.length, isMany: true })
}

function mapFacts(map: string | undefined, gain: number): object {
  return map === undefined ? {} : { map, mapScale: describeMap(gain) }
}

/** Named by their files, which an error about tensors could not tell. */
function checkSizes(first: string, a: Image, second: string, b: Image): void {
  const size = ({ width, height, channels }: Image) =>
    `${width} × ${height}, ${channels === 1 ? 'gray' : 'color'}`
  if (size(a) === size(b)) return
  throw new RestoreError(
    'shape',
    `compare: expected two images of one size and kind, got ${first} (${size(a)}) and ${second} (${size(b)}); resize or convert one first`,
  )
}

/** Where maps go, if they are asked for; what stands in the way is refused. */
function planMaps(
  files: readonly InputFile[],
  others: readonly string[],
  { options, isMany }: { readonly options: CompareOptions; readonly isMany: boolean },
): readonly Job[] {
  const { map, overwrite } = options
  if (map === undefined) return []
  const target = targetOf(map, { option: '--map', count: files.length, isMany })
  const jobs = planOutputs(files, target, { format: undefined, formatOf: () => 'png' })
  refuseCollisions(jobs, others)
  refuseOnStdout(
    jobs.map((job) => job.output),
    options,
  )
  for (const job of jobs) checkOutput(job.output, overwrite)
  return jobs
}

async function writeMap({ output, format }: Job, image: Image, options: CompareOptions): Promise<void> {
  writeResult(output, await encodeImage({ image, alpha: undefined, depth: 8, format }), options)
}
