// What compare and eval share: metrics by name with their networks and threads, pairs of folders, and tables
// of figures.

import { readCheckpoint } from '../../checkpoints/files.ts'
import { RestoreError } from '../../core/errors.ts'
import { decodeImage } from '../../data/decode.ts'
import type { Image } from '../../data/image.ts'
import { type ImageSource, openSource, specOf } from '../../data/sources/datasets.ts'
import { findStored } from '../../downloads/store.ts'
import { availableCores } from '../../files/cores.ts'
import {
  type EvaluateOptions,
  type Evaluation,
  factsOf,
  type NetworkMetricName,
  networkMetrics,
} from '../../metrics/evaluate.ts'
import { metricPool } from '../../metrics/pool.ts'
import { failureText, figure } from '../../metrics/report/evaluationPage.ts'
import { downloads } from '../../registry/downloads.ts'
import { type MetricNetwork, metricNetworks } from '../../registry/metricNetworks.ts'
import { nodeSession } from '../../runtime/session/nodeOnnxSession.ts'
import type { FailedInput } from '../io/inputs.ts'

/** Metric names, each once; an unknown one lists all. */
export function checkMetrics(names: readonly string[]): readonly string[] {
  for (const name of names) factsOf(name)
  return [...new Set(names)]
}

export interface Measuring extends Pick<EvaluateOptions, 'networks' | 'compute' | 'concurrency'> {
  close(): Promise<void>
}

export interface MeasuringRequest {
  readonly names: readonly string[]
  readonly weights: readonly string[] | undefined
  /** Pictures to come; a few are not worth threads of their own. */
  readonly pictures: number
  readonly threads?: number | undefined
}

/** Opens what metrics need: sessions of their networks, and threads. */
export function openMeasuring({
  names,
  weights = [],
  pictures,
  threads = availableCores(),
}: MeasuringRequest): Measuring {
  const given = weights.length > 0 ? metricNetworks(weights.map((file) => readCheckpoint(file))) : {}
  const wanted = (Object.keys(networkMetrics) as NetworkMetricName[]).filter((name) => names.includes(name))
  const opened = wanted.flatMap((name) => {
    const network = given[name] ?? fetchedMetric(name)
    return network ? [[name, nodeSession(network, { threads })] as const] : []
  })
  const pool = threads > 1 && pictures > 2 * threads ? metricPool(threads) : undefined
  return {
    networks: Object.fromEntries(opened),
    ...(pool ? { compute: pool.compute, concurrency: pool.threads } : {}),
    close: async () => {
      await pool?.close()
      for (const [, session] of opened) await session.close()
    },
  }
}

/** Network of a metric whose weights `limpid fetch` has fetched. */
function fetchedMetric(name: NetworkMetricName): MetricNetwork | undefined {
  const { files = [] } = downloads.find(({ id }) => id === name) ?? {}
  const paths = files.map((file) => findStored(file, name)).filter((path) => path !== undefined)
  if (paths.length === 0 || paths.length < files.length) return undefined
  return metricNetworks(paths.map((path) => readCheckpoint(path)))[name]
}

/** Decodes an image of a source. */
export async function decodeFrom(
  source: ImageSource,
  index: number,
  limits: { readonly pixelLimit?: number },
): Promise<Image> {
  const name = source.name(index)
  return (await decodeImage(await source.read(index), { name, colors: 'srgb', ...limits })).image
}

/** Opens a folder, list, database or shards of images. */
export async function openImages(path: string): Promise<ImageSource> {
  return openSource(await specOf(path))
}

/** Rows, mean and deviation as a table; every figure's convention below it. */
export function formatEvaluation(evaluation: Evaluation): string {
  const names = Object.keys(evaluation.conventions)
  const good = evaluation.rows.filter(({ error }) => error === undefined)
  const labels = [...good.map(({ name }) => name), 'deviation']
  const width = Math.max(...labels.map(({ length }) => length))
  const cells = (label: string, values: Readonly<Record<string, number>>) =>
    [label.padEnd(width), ...names.map((name) => figure(values[name]).padStart(columnWidth(name)))].join('  ')
  return [
    [''.padEnd(width), ...names.map((name) => name.padStart(columnWidth(name)))].join('  '),
    ...good.map(({ name, values }) => cells(name, values)),
    cells('mean', evaluation.mean),
    ...(good.length > 1 ? [cells('deviation', evaluation.deviation)] : []),
  ].join('\n')
}

function columnWidth(name: string): number {
  return Math.max(name.length, 8)
}

/** One line for every metric: what its figures are; then what is left out. */
export function formatConventions({
  conventions,
  cropPx,
}: Pick<Evaluation, 'conventions' | 'cropPx'>): string {
  const lines = Object.entries(conventions).map(([name, convention]) => `${name}: ${convention}`)
  return [...lines, ...(cropPx > 0 ? [describeCrop(cropPx)] : [])].join('\n')
}

export function describeCrop(cropPx: number): string {
  return `crop: ${cropPx} px left out on every side, by all but LPIPS and FID`
}

/** The document with figures that JSON does not know as words: equal images have an infinite PSNR. */
export function jsonReady(document: object): object {
  return JSON.parse(JSON.stringify(document, spellOut)) as object
}

function spellOut(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

/** The images that failed. */
export function failedRows(evaluations: readonly Evaluation[]): readonly FailedInput[] {
  return evaluations.flatMap(({ rows }) =>
    rows.flatMap((row) =>
      row.error === undefined
        ? []
        : [{ path: row.name, error: new RestoreError(row.code ?? 'input', failureText(row)) }],
    ),
  )
}
