// Evaluates a restoration over a test set: one row per image, means and standard deviations. Validation in
// training and the `eval` command share this function, so their values agree.

import { type ErrorCode, RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import { nearestName } from '../core/unknownName.ts'
import type { Image } from '../data/image.ts'
import { frechetDistance, inceptionFeatures } from './fid.ts'
import { lpips } from './lpips.ts'
import {
  isMetricName,
  type MetricFacts,
  type MetricName,
  type MetricOptions,
  measurePair,
  metrics,
} from './metrics.ts'

/** One image of a test set; `reference` is the ground truth, if any. */
export interface Sample {
  readonly name: string
  readonly input: Image
  readonly reference?: Image | undefined
}

/** An image that could not be read; it becomes a row with the error. */
export interface Unreadable {
  readonly name: string
  readonly error: unknown
}

/** Metric values of one image, or the error that prevented them. */
export interface Row {
  readonly name: string
  /** Value of each metric. */
  readonly values: Readonly<Record<string, number>>
  /** Why the sample failed. */
  readonly error?: string
  /** Code of the error. */
  readonly code?: ErrorCode
}

/** Results of {@link evaluate}. */
export interface Evaluation {
  /** In the order of the samples. */
  readonly rows: readonly Row[]
  /** Means over the rows without an error; also holds FID, a value of the whole set. */
  readonly mean: Readonly<Record<string, number>>
  /** Population standard deviation over the same rows. */
  readonly deviation: Readonly<Record<string, number>>
  readonly failed: number
  readonly cropPx: number
  /** Convention of each metric. */
  readonly conventions: Readonly<Record<string, string>>
}

/** Metrics computed by a network; they ignore the crop. */
export const networkMetrics = {
  lpips: {
    convention: 'LPIPS 0.1, AlexNet, RGB neither clamped nor rounded, not cropped',
    needsReference: true,
    lowerIsBetter: true,
    weights:
      'run `limpid fetch lpips`, or download torchvision’s alexnet-owt-7be5be79.pth and v0.1/alex.pth of github.com/richzhang/PerceptualSimilarity',
  },
  'lpips-vgg': {
    convention: 'LPIPS 0.1, VGG-16, RGB neither clamped nor rounded, not cropped',
    needsReference: true,
    lowerIsBetter: true,
    weights:
      'download torchvision’s vgg16-397923af.pth and v0.1/vgg.pth of github.com/richzhang/PerceptualSimilarity',
  },
  fid: {
    convention:
      'FID of pytorch-fid: RGB rounded to 8 bits, bilinear to 299×299, 2048 features, per set, not cropped',
    needsReference: true,
    lowerIsBetter: true,
    weights:
      'run `limpid fetch fid`, or download pt_inception-2015-12-05-6726825d.pth of github.com/mseitzer/pytorch-fid',
  },
} as const satisfies Readonly<Record<string, MetricFacts & { readonly weights: string }>>

export type NetworkMetricName = keyof typeof networkMetrics

/** Computes metric values of one pair, in the order of the names. */
export type ComputeMetrics = (
  reference: Image | undefined,
  output: Image,
  names: readonly MetricName[],
  options: MetricOptions,
) => readonly number[] | Promise<readonly number[]>

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** Border to exclude on every side, in pixels. @default 0 */
  readonly cropPx?: number
  /** Sessions for the network metrics. */
  readonly networks?: Readonly<Partial<Record<NetworkMetricName, Session>>>
  /** Computes the pixel metrics, such as in a pool's threads. @default the calling thread */
  readonly compute?: ComputeMetrics
  /** Images to measure concurrently. @default 1 */
  readonly concurrency?: number
  /** Called for each finished row, in order. */
  readonly onRow?: (row: Row) => void
  readonly signal?: AbortSignal | undefined
}

/** Computes metrics in the calling thread. */
export const computeMetrics: ComputeMetrics = measurePair

/**
 * Returns the facts of a metric.
 * @throws RestoreError `usage` for an unknown name, listing all
 */
export function factsOf(name: string): MetricFacts {
  if (Object.hasOwn(networkMetrics, name)) return networkMetrics[name as NetworkMetricName]
  if (isMetricName(name)) return metrics[name]
  const known = [...Object.keys(metrics), ...Object.keys(networkMetrics)]
  throw new RestoreError(
    'usage',
    `metrics: expected one of ${known.join(', ')}, got '${name}'${nearestName(name, known)}`,
  )
}

/**
 * Restores every sample and measures the results. A failed sample becomes a row with an error, excluded from
 * the means.
 * @throws RestoreError `usage` for unknown metrics or missing network weights, `aborted` if canceled
 *
 * @example
 * ```ts
 * const samples = [{ name: 'photo', input, reference }]
 * const { mean } = await evaluate(samples, (image) => image, ['psnr', 'ssim-y'], { cropPx: 4 })
 * ```
 */
export async function evaluate(
  samples: AsyncIterable<Sample | Unreadable> | Iterable<Sample | Unreadable>,
  restore: (input: Image, name: string) => Image | Promise<Image>,
  metricNames: readonly string[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { cropPx = 0, concurrency = 1, onRow, signal } = options
  const measure = measurer(metricNames, options)
  const rows: Row[] = []
  const pending: Promise<Row>[] = []
  const finishFirst = async () => {
    const row = await pending.shift()!
    rows.push(row)
    onRow?.(row)
  }
  for await (const sample of samples) {
    if (signal?.aborted) throw new RestoreError('aborted', 'evaluate: the caller canceled')
    // Restoration is sequential; only measuring runs concurrently.
    const restored = await attempt(sample.name, async () => {
      if ('error' in sample) throw sample.error
      return restore(sample.input, sample.name)
    })
    pending.push(
      'error' in restored
        ? Promise.resolve({ name: sample.name, values: {}, ...restored })
        : measureRow(sample as Sample, restored.value, measure.pair),
    )
    while (pending.length >= concurrency) await finishFirst()
  }
  while (pending.length > 0) await finishFirst()
  const conventions = Object.fromEntries(metricNames.map((name) => [name, factsOf(name).convention]))
  return { rows, ...summarize(rows, measure.ofSet()), cropPx, conventions }
}

type MeasurePair = (sample: Sample, output: Image) => Promise<Readonly<Record<string, number>>>

async function measureRow(sample: Sample, output: Image, measure: MeasurePair): Promise<Row> {
  const measured = await attempt(sample.name, () => measure(sample, output))
  return 'error' in measured
    ? { name: sample.name, values: {}, ...measured }
    : { name: sample.name, values: measured.value }
}

/** Returns the action's value or its error message; rethrows cancellation. */
async function attempt<T>(
  name: string,
  action: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly error: string; readonly code: ErrorCode }> {
  try {
    return { value: await action() }
  } catch (error) {
    if (error instanceof RestoreError && error.code === 'aborted') throw error
    const code = error instanceof RestoreError ? error.code : 'crash'
    return { error: error instanceof Error ? error.message : `${name}: ${String(error)}`, code }
  }
}

interface Measurer {
  readonly pair: MeasurePair
  /** Computes the values of the whole set, after every pair is measured. */
  readonly ofSet: () => Readonly<Record<string, number>>
}

function measurer(
  names: readonly string[],
  { cropPx = 0, networks = {}, compute = computeMetrics }: EvaluateOptions,
): Measurer {
  if (names.length === 0) throw new RestoreError('usage', 'evaluate: expected at least one metric, got none')
  const needsReference = names.some((name) => factsOf(name).needsReference)
  const sessions = new Map(
    (Object.keys(networkMetrics) as NetworkMetricName[])
      .filter((name) => names.includes(name))
      .map((name) => [name, networks[name] ?? throwMissingWeights(name)]),
  )
  const pixelMetrics = names.filter(isMetricName)
  const inceptionSets: { readonly reference: Float32Array[]; readonly output: Float32Array[] } = {
    reference: [],
    output: [],
  }
  const pair: MeasurePair = async ({ name, reference }, output) => {
    if (needsReference && !reference) {
      throw new RestoreError('input', `${name}: expected a reference to compare with, got none`)
    }
    const values: Record<string, number> = {}
    const figures = pixelMetrics.length > 0 ? await compute(reference, output, pixelMetrics, { cropPx }) : []
    pixelMetrics.forEach((metric, i) => {
      values[metric] = figures[i]!
    })
    for (const [metric, session] of sessions) {
      if (metric !== 'fid') values[metric] = await lpips(session, reference!, output)
      else {
        const ofReference = await inceptionFeatures(session, reference!)
        const ofOutput = await inceptionFeatures(session, output)
        inceptionSets.reference.push(ofReference)
        inceptionSets.output.push(ofOutput)
      }
    }
    return values
  }
  const ofSet = (): Record<string, number> =>
    sessions.has('fid') ? { fid: frechetDistance(inceptionSets.reference, inceptionSets.output) } : {}
  return { pair, ofSet }
}

function throwMissingWeights(name: NetworkMetricName): never {
  throw new RestoreError(
    'usage',
    `${name}: expected the weights of its network, got none; ${networkMetrics[name].weights} and pass the files with --metric-weights, or remove ${name} from --metrics`,
  )
}

function summarize(
  rows: readonly Row[],
  ofSet: Readonly<Record<string, number>>,
): Pick<Evaluation, 'mean' | 'deviation' | 'failed'> {
  const succeeded = rows.filter(({ error }) => error === undefined)
  const mean: Record<string, number> = {}
  const deviation: Record<string, number> = {}
  for (const name of Object.keys(succeeded[0]?.values ?? {})) {
    const values = succeeded.map((row) => row.values[name]!)
    const average = values.reduce((total, value) => total + value, 0) / values.length
    mean[name] = average
    // Identical images have infinite PSNR, and Infinity − Infinity is NaN.
    const spread = (value: number) => (value === average ? 0 : (value - average) ** 2)
    deviation[name] = Math.sqrt(values.reduce((total, value) => total + spread(value), 0) / values.length)
  }
  return { mean: { ...mean, ...ofSet }, deviation, failed: rows.length - succeeded.length }
}
