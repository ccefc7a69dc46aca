// Validation during training: always the same degraded images, measured as `limpid eval` does.

import { RestoreError } from '../core/errors.ts'
import { withChannels } from '../data/color.ts'
import { encodeImage } from '../data/encode.ts'
import { crop, type Image, imageToTensor, pixelsToPlanes, tensorToImage } from '../data/image.ts'
import type { Rejected } from '../data/sources/check.ts'
import type { ImageSource } from '../data/sources/datasets.ts'
import { evaluate, factsOf } from '../metrics/evaluate.ts'
import { noGrad, scope, toTorch } from '../torch/backend.ts'
import { streamOf } from './loader/batchPlan.ts'
import type { Recipe, Validation } from './recipe/recipe.ts'
import type { ReportImage } from './report/reportPage.ts'
import { decodeShared, type OpenImages } from './samples/images.ts'
import { publishedNetwork, type TrainingRun } from './trainingRun.ts'

export interface ValidationResult {
  /** Means over the images. */
  readonly metrics: Readonly<Record<string, number>>
  /** Metric that selects the best weights. */
  readonly selectionMetric: string
  readonly isBetter: (value: number, than: number) => boolean
  readonly images: readonly ReportImage[]
  /** Images left out because they are damaged. */
  readonly leftOut: readonly Rejected[]
}

interface Pair {
  readonly name: string
  readonly input: Image
  readonly reference: Image
}

/** Restores the validation images and measures the results; undefined without validation. */
export async function validate(
  run: TrainingRun,
  onImage: (done: number, total: number) => void = () => {},
): Promise<ValidationResult | undefined> {
  const { recipe, validation: images } = run
  const { validate: validation } = recipe
  if (!validation || !images) return undefined
  const reported: (Pair & { readonly output: Image })[] = []
  const leftOut: Rejected[] = []
  let current: Pair | undefined
  const pairs = async function* () {
    for (let i = 0; i < images.names.length; i++) {
      const opened = await openPair(recipe, validation, images, i)
      if ('reason' in opened) leftOut.push(opened)
      else {
        current = opened
        yield opened
      }
    }
  }
  const restore = (input: Image) => {
    const output = restoreImage(run, validation, input)
    if (current && reported.length < (validation.pictures ?? 4)) reported.push({ ...current, output })
    return output
  }
  let done = 0
  const { mean, rows } = await evaluate(pairs(), restore, validation.metrics, {
    onRow: () => onImage(++done, images.names.length),
  })
  if (rows.length === 0)
    throw new RestoreError('input', `validation: expected usable images, got none of ${images.names.length}`)
  const failed = rows.find(({ error }) => error !== undefined)
  if (failed) throw new RestoreError('input', `validation, ${failed.name}: ${failed.error}`)
  const reportImages = await Promise.all(
    reported.map(async ({ name, input, output, reference }, i) => {
      const [before, after, truth] = await Promise.all([input, output, reference].map(dataUrl))
      const caption = Object.entries(rows[i]?.values ?? {}).map(
        ([metric, value]) => `${metric} ${value.toFixed(3)}`,
      )
      return {
        name,
        caption: caption.join(', '),
        input: before ?? '',
        output: after ?? '',
        truth: truth ?? '',
      }
    }),
  )
  const [selectionMetric] = validation.metrics
  const { lowerIsBetter } = factsOf(selectionMetric)
  const isBetter = (value: number, than: number) => (lowerIsBetter ? value < than : value > than)
  return { metrics: mean, selectionMetric, isBetter, images: reportImages, leftOut }
}

async function openPair(
  { network, seed }: Recipe,
  { images, degrade, crop: side }: Validation<object>,
  { sources, unusable }: OpenImages,
  index: number,
): Promise<Pair | Rejected> {
  const { channels, scale } = images
  const open = async (source: ImageSource) => {
    const pixels = await decodeShared(source, index, { channels, unusable })
    return 'reason' in pixels ? pixels : withChannels(pixelsToPlanes(pixels).image, channels)
  }
  const { input: degraded, target } = sources
  if (!target || (!degraded && !degrade)) {
    throw new RestoreError(
      'usage',
      'validate: expected images with views input and target, or with a target view and degrade; add degrade or an input view',
    )
  }
  const truth = await open(target)
  if ('reason' in truth) return truth
  const given = degraded && (await open(degraded))
  if (given && 'reason' in given) return given
  const { multipleOf = 1 } = network
  const [height, width] = [truth.height, truth.width].map((size) => {
    const whole = Math.floor(size / scale)
    const cropped = Math.min(whole, side ?? whole)
    return { size: cropped - (cropped % multipleOf), start: (whole - cropped) >> 1 }
  }) as [Span, Span]
  const centerCrop = (image: Image, factor: number) =>
    crop(image, height.start * factor, width.start * factor, height.size * factor, width.size * factor)
  const reference = centerCrop(truth, scale)
  const random = streamOf(seed, 'validation').fork(index)
  const input = given ? centerCrop(given, 1) : (degrade?.(reference, random) ?? reference)
  return { name: target.name(index), input, reference }
}

interface Span {
  readonly size: number
  readonly start: number
}

function restoreImage(run: TrainingRun, validation: Validation<object>, input: Image): Image {
  const compute = () => {
    const x = toTorch(imageToTensor(input), run.device)
    return validation.restore(publishedNetwork(run), x, run.recipe.constants ?? {}).read()
  }
  return tensorToImage(scope(() => noGrad(compute)))
}

async function dataUrl(image: Image): Promise<string> {
  const bytes = await encodeImage({ image, alpha: undefined, depth: 8, format: 'webp' })
  return `data:image/webp;base64,${Buffer.from(bytes).toString('base64')}`
}
