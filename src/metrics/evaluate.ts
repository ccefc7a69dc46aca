// A restoration over a test set: a row for each image, means and deviations. Pure: validation inside training and the `eval` command
// are this one function, so that they give the same figures.

import { RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
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

/** One image of a test set; `reference` is the truth, where there is one. */
export interface Sample {
  readonly name: string
  readonly input: Image
  readonly reference?: Image | undefined
}

/** An image that could not be read: it becomes a row that says so. */
export interface Unreadable {
  readonly name: string
  readonly error: unknown
}

/** Figures of one image by metric, or why there are none. */
export interface Row {
  readonly name: string
  readonly values: Readonly<Record<string, number>>
  readonly error?: string
}

export interface Evaluation {
  /** In the order of the samples. */
  readonly rows: readonly Row[]
  /** Over the rows without an error; FID, which is of the whole set, too. */
  readonly mean: Readonly<Record<string, number>>
  /** Population standard deviation over the same rows. */
  readonly deviation: Readonly<Record<string, number>>
  readonly failed: number
  readonly cropPx: number
  /** What every figure is. */
  readonly conventions: Readonly<Record<string, string>>
}

/** Metrics that a network computes; none of them is cropped. */
export const networkMetrics = {
  lpips: {
    convention: 'LPIPS 0.1, AlexNet, RGB neither clamped nor rounded, not cropped',
    needsReference: true,
    lowerIsBetter: true,
    weights:
      'torchvision’s alexnet-owt-7be5be79.pth and v0.1/alex.pth of github.com/richzhang/PerceptualSimilarity',
  },
  'lpips-vgg': {
    convention: 'LPIPS 0.1, VGG-16, RGB neither clamped nor rounded, not cropped',
    needsReference: true,
    lowerIsBetter: true,
    weights: 'torchvision’s vgg16-397923af.pth and v0.1/vgg.pth of github.com/richzhang/PerceptualSimilarity',
  },
  fid: {
    convention:
      'FID of pytorch-fid: RGB rounded to 8 bits, bilinear to 299×299, features of 2048, of the set, not cropped',
    needsReference: true,
    lowerIsBetter: true,
    weights: 'pt_inception-2015-12-05-6726825d.pth of github.com/mseitzer/pytorch-fid',
  },
} as const satisfies Readonly<Record<string, MetricFacts & { readonly weights: string }>>

export type NetworkMetricName = keyof typeof networkMetrics

/** Figures of one pair, in the order of the names. */
export type ComputeMetrics = (
  reference: Image | undefined,
  output: Image,
  names: readonly MetricName[],
  options: MetricOptions,
) => readonly number[] | Promise<readonly number[]>

export interface EvaluateOptions {
  /** Border in pixels that is left out on every side; 0 by default. */
  readonly cropPx?: number
  /** Sessions of the networks that metrics need. */
  readonly networks?: Readonly<Partial<Record<NetworkMetricName, Session>>>
  /** Where figures are computed: here by default, else in a pool's threads. */
  readonly compute?: ComputeMetrics
  /** Images whose figures may be in work at once; 1 by default. */
  readonly concurrency?: number
  /** Called for each row as it is done, in order. */
  readonly onRow?: (row: Row) => void
  readonly signal?: AbortSignal | undefined
}

/** Computes metrics in the calling thread. */
export const computeMetrics: ComputeMetrics = measurePair

/** Facts of any metric by name; an unknown one lists all. */
export function factsOf(name: string): MetricFacts {
  if (Object.hasOwn(networkMetrics, name)) return networkMetrics[name as NetworkMetricName]
  if (isMetricName(name)) return metrics[name]
  const known = [...Object.keys(metrics), ...Object.keys(networkMetrics)].join(', ')
  throw new RestoreError('usage', `metrics: expected names among ${known}, got '${name}'`)
}

/** Restores every sample and measures the results; a sample that fails is a row with an error and counts in no mean. */
export async function evaluate(
  samples: AsyncIterable<Sample | Unreadable> | Iterable<Sample | Unreadable>,
  restore: (input: Image, name: string) => Image | Promise<Image>,
  metricNames: readonly string[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { cropPx = 0, concurrency = 1, onRow, signal } = options
  const measure = measurer(metricNames, options)
  const rows: Row[] = []
  const inWork: Promise<Row>[] = []
  const finishFirst = async () => {
    const row = await inWork.shift()!
    rows.push(row)
    onRow?.(row)
  }
  for await (const sample of samples) {
    if (signal?.aborted) throw new RestoreError('aborted', 'evaluate: the caller canceled')
    // Restored one after the other; only figures are computed side by side.
    const restored = await attempt(sample.name, async () => {
      if ('error' in sample) throw sample.error
      return restore(sample.input, sample.name)
    })
    inWork.push(
      'error' in restored
        ? Promise.resolve({ name: sample.name, values: {}, error: restored.error })
        : measureRow(sample as Sample, restored.value, measure.pair),
    )
    while (inWork.length >= concurrency) await finishFirst()
  }
  while (inWork.length > 0) await finishFirst()
  const conventions = Object.fromEntries(metricNames.map((name) => [name, factsOf(name).convention]))
  return { rows, ...summarize(rows, measure.ofSet()), cropPx, conventions }
}

type MeasurePair = (sample: Sample, output: Image) => Promise<Readonly<Record<string, number>>>

async function measureRow(sample: Sample, output: Image, measure: MeasurePair): Promise<Row> {
  const measured = await attempt(sample.name, () => measure(sample, output))
  return 'error' in measured
    ? { name: sample.name, values: {}, error: measured.error }
    : { name: sample.name, values: measured.value }
}

/** The value of an action or the message of its error; canceling is no error of the image. */
async function attempt<T>(
  name: string,
  action: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly error: string }> {
  try {
    return { value: await action() }
  } catch (error) {
    if (error instanceof RestoreError && error.code === 'aborted') throw error
    return { error: error instanceof Error ? error.message : `${name}: ${String(error)}` }
  }
}

interface Measurer {
  readonly pair: MeasurePair
  /** Figures of the whole set, once every pair is measured. */
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
      .map((name) => [name, networks[name] ?? missing(name)]),
  )
  const plain = names.filter(isMetricName)
  const features: { readonly reference: Float32Array[]; readonly output: Float32Array[] } = {
    reference: [],
    output: [],
  }
  const pair: MeasurePair = async ({ name, reference }, output) => {
    if (needsReference && !reference) {
      throw new RestoreError('input', `${name}: expected a reference to compare with, got none`)
    }
    const values: Record<string, number> = {}
    const figures = plain.length > 0 ? await compute(reference, output, plain, { cropPx }) : []
    plain.forEach((metric, i) => {
      values[metric] = figures[i]!
    })
    for (const [metric, session] of sessions) {
      if (metric !== 'fid') values[metric] = await lpips(session, reference!, output)
      else {
        const ofReference = await inceptionFeatures(session, reference!)
        const ofOutput = await inceptionFeatures(session, output)
        features.reference.push(ofReference)
        features.output.push(ofOutput)
      }
    }
    return values
  }
  const ofSet = (): Record<string, number> =>
    sessions.has('fid') ? { fid: frechetDistance(features.reference, features.output) } : {}
  return { pair, ofSet }
}

function missing(name: NetworkMetricName): never {
  throw new RestoreError(
    'usage',
    `${name}: expected the weights of its network, got none; download ${networkMetrics[name].weights} and give the files with --metric-weights, or leave ${name} out of --metrics`,
  )
}

function summarize(
  rows: readonly Row[],
  ofSet: Readonly<Record<string, number>>,
): Pick<Evaluation, 'mean' | 'deviation' | 'failed'> {
  const good = rows.filter(({ error }) => error === undefined)
  const mean: Record<string, number> = {}
  const deviation: Record<string, number> = {}
  for (const name of Object.keys(good[0]?.values ?? {})) {
    const values = good.map((row) => row.values[name]!)
    const average = values.reduce((total, value) => total + value, 0) / values.length
    mean[name] = average
    // Equal images have an infinite PSNR, of which no difference can be taken.
    const spread = (value: number) => (value === average ? 0 : (value - average) ** 2)
    deviation[name] = Math.sqrt(values.reduce((total, value) => total + spread(value), 0) / values.length)
  }
  return { mean: { ...mean, ...ofSet }, deviation, failed: rows.length - good.length }
}
