// limpid eval: a model over a test set, or none for the baseline: rows, means and deviations, by the
// protocols of published tables.

import { RestoreError } from '../../core/errors.ts'
import type { Image } from '../../data/image.ts'
import { resizeTo } from '../../degrade/resize.ts'
import { type Evaluation, evaluate, factsOf, type Row, type Sample } from '../../metrics/evaluate.ts'
import { findProtocol, type Protocol } from '../../metrics/protocols.ts'
import { type ReportCase, reportHtml } from '../../metrics/report/evaluationPage.ts'
import type { PictureRestorer } from '../../runtime/pictureRestorer.ts'
import { openRestorer } from '../../runtime/restore.ts'
import { Restorer } from '../../runtime/restorer.ts'
import type { PictureOptions } from '../../runtime/tiledRestoration.ts'
import type { EvalOptions } from '../commands/measure.ts'
import { conclude } from '../io/conclude.ts'
import { watchInterrupts } from '../io/interrupts.ts'
import { checkDocument } from '../io/outputPlan.ts'
import { countImages, reporter } from '../io/shell.ts'
import { writeResult } from '../io/writeResult.ts'
import { requestOf, runOf } from '../networks/request.ts'
import {
  checkMetrics,
  describeCrop,
  failedRows,
  formatConventions,
  formatEvaluation,
  jsonReady,
  type Measuring,
  openMeasuring,
} from './metricSession.ts'
import { type Column, openColumns } from './testSets.ts'
import { type Restored, WorstCases } from './worstCases.ts'

/** Cases that the report shows, over all its columns. */
const shownCases = 12

interface Measured extends Evaluation {
  readonly name: string
  readonly worst: readonly ReportCase[]
}

export async function evalCommand(options: EvalOptions): Promise<void> {
  checkRequest(options)
  const progress = reporter(options)
  using interrupts = watchInterrupts()
  const { signal } = interrupts
  await using restorer = options.none ? undefined : await openRestorer({ ...requestOf(options), signal })
  for (const note of restorer?.notes ?? []) progress.show(note)
  if (restorer?.license.isCommercial === false) progress.show(restorer.license.note)
  const { names, columns, cropPx, facts } = await prepare(restorer, options)
  const pictures = columns.reduce((sum, { count }) => sum + count, 0)
  const measuring = openMeasuring({
    names,
    weights: options.metricWeights,
    pictures,
    threads: options.threads,
  })
  try {
    const run = { restorer, how: howToRun(restorer, options), names, cropPx, measuring, signal, progress }
    const cases = options.html === undefined ? 0 : Math.ceil(shownCases / columns.length)
    const measured: Measured[] = []
    for (const column of columns) measured.push(await measureColumn(column, run, cases))
    progress.done()
    finish(measured, facts, options)
  } finally {
    await measuring.close()
  }
}

function checkRequest({ report, html, none, model, weights, task, overwrite }: EvalOptions): void {
  const isNamed = [model, weights, task].some((name) => name !== undefined)
  if (none ? isNamed : !isNamed) {
    const got = none ? '--none beside a model' : 'none of them'
    throw new RestoreError(
      'usage',
      `eval: expected --model ID, --task NAME, --weights FILE, or --none for the inputs themselves, got ${got}`,
    )
  }
  for (const file of [report, html]) if (file !== undefined) checkDocument(file, overwrite)
}

/** What is measured on what, and the facts that make the figures comparable. */
async function prepare(restorer: PictureRestorer | undefined, options: EvalOptions) {
  const found = options.protocol === undefined ? undefined : findProtocol(options.protocol, restorer?.scale)
  const protocol: Protocol | undefined = found?.protocol
  const names =
    options.metrics === undefined ? (protocol?.metrics ?? ['psnr', 'ssim']) : checkMetrics(options.metrics)
  const cropPx = options.crop ?? protocol?.cropPx ?? 0
  const { data, truth, match, degrade, seed, pixelLimit } = options
  const scale = restorer?.scale ?? protocol?.scale ?? 1
  if (protocol && restorer && protocol.scale !== restorer.scale) {
    throw new RestoreError(
      'usage',
      `${found?.name}: expected a model that enlarges ${protocol.scale} times, got one of ${restorer.scale}`,
    )
  }
  const columns = await openColumns({
    data,
    truth,
    match,
    degrade,
    seed,
    protocol,
    scale,
    needsReference: names.some((name) => factsOf(name).needsReference),
    limits: pixelLimit === undefined ? {} : { pixelLimit },
  })
  const facts = {
    ...modelFacts(restorer, options),
    data,
    ...(truth === undefined ? {} : { truth }),
    ...(degrade === undefined ? {} : { degrade: `${degrade}, seed ${seed}, neither clipped nor rounded` }),
    ...(found && protocol ? protocolFacts(found.name, protocol) : {}),
  }
  return { names, columns, cropPx, facts }
}

type Facts = Readonly<Record<string, string>>

function modelFacts(restorer: PictureRestorer | undefined, options: EvalOptions): Facts {
  if (!restorer)
    return { model: 'none: the inputs, enlarged by bicubic interpolation where they are smaller' }
  const { weights, task, guide, selfEnsemble, tile, blend } = options
  const asked = {
    weights,
    task,
    guide,
    selfEnsemble: selfEnsemble ? 'mean over eight turns' : undefined,
    tiles: tile === 'auto' && blend === 'smooth' ? undefined : `${tile}, ${blend}`,
  }
  const given = Object.entries(asked).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  return {
    ...(restorer instanceof Restorer ? networkFacts(restorer, options) : factsOfSeveral(restorer)),
    ...Object.fromEntries(given),
    device: restorer.device,
  }
}

function networkFacts(restorer: Restorer, options: EvalOptions): Facts {
  const { card, network, sha256, version, mix } = restorer
  return {
    model: card?.id ?? network.id,
    ...(version === undefined ? {} : { version: String(version) }),
    ...(mix ? { mix: `${mix.share} of ${mix.weights}, SHA-256 ${mix.sha256}` } : {}),
    sha256,
    ...samplingFacts(restorer, options),
  }
}

/** Facts about a restorer of several networks. */
function factsOfSeveral({ identity }: PictureRestorer): Facts {
  const told = Object.entries(identity).map(([name, value]) => [name, JSON.stringify(value)])
  return { model: 'several', ...Object.fromEntries(told) }
}

function samplingFacts({ network }: Restorer, options: EvalOptions): Facts {
  const { sampler = 'as published', steps = 'as trained', samples = 1, seed } = options
  if (network.role.kind !== 'samples') return {}
  return { sampling: `sampler ${sampler}, steps ${steps}, samples ${samples}, seed ${seed}` }
}

function protocolFacts(name: string, { mirrors, sets, output, caveat }: Protocol): Facts {
  return {
    protocol: `${name}: ${mirrors}`,
    sets: sets.join(', '),
    compared: output === 'uint8' ? 'outputs rounded to 8 bits' : 'outputs as the network gives them',
    ...(caveat === undefined ? {} : { caveat }),
  }
}

/** Options of a run; `seed` also seeds --degrade, so it is passed on only to networks that sample. */
function howToRun(restorer: PictureRestorer | undefined, options: EvalOptions): PictureOptions {
  const { seed, ...how } = runOf(options)
  const samples = restorer instanceof Restorer && restorer.network.role.kind === 'samples'
  return samples ? { ...how, seed } : how
}

interface Run {
  readonly restorer: PictureRestorer | undefined
  readonly how: PictureOptions
  readonly names: readonly string[]
  readonly cropPx: number
  readonly measuring: Measuring
  readonly signal: AbortSignal
  readonly progress: ReturnType<typeof reporter>
}

async function measureColumn(column: Column, run: Run, shown: number): Promise<Measured> {
  const { restorer, how, names, cropPx, measuring, signal, progress } = run
  const worst = new WorstCases(names, shown)
  // Restored images whose figures are not there yet.
  const inWork = new Map<string, Restored>()
  let current: Sample | undefined
  async function* samples() {
    for await (const sample of column.samples()) {
      current = 'error' in sample ? undefined : sample
      yield sample
    }
  }
  const restore = async (input: Image, name: string): Promise<Image> => {
    const reference = current?.reference
    const output = restorer ? await restorer.runPlanes(input, { ...how, signal }) : enlarged(input, reference)
    if (shown > 0) inWork.set(name, { input, output, reference })
    return output
  }
  const count = countImages(progress, `evaluating ${column.name}:`, column.count)
  const onRow = (row: Row) => {
    count()
    const restored = inWork.get(row.name)
    inWork.delete(row.name)
    if (restored && row.error === undefined) worst.offer(row, restored)
  }
  const evaluation = await evaluate(samples(), restore, names, { cropPx, onRow, signal, ...measuring })
  return { name: column.name, ...evaluation, worst: await worst.finish() }
}

/**
 * The baseline of tables: the input, enlarged by MATLAB's bicubic interpolation where it is smaller than the
 * truth.
 */
function enlarged(input: Image, reference: Image | undefined): Image {
  const isSmaller = reference && input.width < reference.width && input.height < reference.height
  return isSmaller ? resizeTo(input, reference, { rounding: 'uint8' }) : input
}

function finish(measured: readonly Measured[], facts: Facts, options: EvalOptions): void {
  const [first] = measured
  if (!first) throw new TypeError('expected a column')
  const { conventions, cropPx } = first
  const blocks = measured.map(({ name, rows, mean, deviation, failed }) => ({
    name,
    mean,
    deviation,
    failed,
    rows,
  }))
  const document = { ...facts, cropPx, conventions, blocks }
  if (options.html !== undefined) {
    const all = { ...facts, ...(cropPx > 0 ? { crop: describeCrop(cropPx).slice('crop: '.length) } : {}) }
    const title = `Limpid: ${options.none ? 'the inputs themselves' : facts.model} on ${facts.data}`
    const page = reportHtml({ title, facts: all, conventions, blocks: measured })
    writeResult(options.html, page, options)
  }
  const text = [
    Object.entries(facts)
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
    ...measured.map((block) => `${block.name}\n${formatEvaluation(block)}`),
    formatConventions(first),
    ...[options.report, options.html].filter((file) => file !== undefined),
  ]
  const total = measured.reduce((sum, { rows }) => sum + rows.length, 0)
  const ready = { document: jsonReady(document), text: text.join('\n\n') }
  conclude(options, { ...ready, failed: failedRows(measured), total, isMany: true })
}
