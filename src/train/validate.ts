// Validation inside a training: the same pictures with the same damage every time, measured as `limpid eval` does.

import { RestoreError } from '../core/errors.ts'
import { encodeImage } from '../data/codec.ts'
import { withChannels } from '../data/color.ts'
import { crop, type Image, imageToTensor, pixelsToPlanes, tensorToImage } from '../data/image.ts'
import type { ImageSource } from '../data/sources/datasets.ts'
import { evaluate, factsOf } from '../metrics/evaluate.ts'
import { noGrad, scope, toTorch } from '../torch/backend.ts'
import { streamOf } from './loader/batchPlan.ts'
import type { Recipe, Validation } from './recipe/recipe.ts'
import type { Picture } from './report/reportPage.ts'
import { decodeShared, type OpenImages } from './samples/images.ts'
import { publishedNetwork, type TrainingRun } from './trainingRun.ts'

export interface ValidationResult {
  /** Means over the images. */
  readonly metrics: Readonly<Record<string, number>>
  /** The metric that decides which weights are best. */
  readonly decisive: string
  readonly isBetter: (value: number, than: number) => boolean
  readonly pictures: readonly Picture[]
}

interface Pair {
  readonly name: string
  readonly input: Image
  readonly reference: Image
}

/** Restores the validation images and measures the results; undefined where the recipe has no validation. */
export async function validate(
  run: TrainingRun,
  onImage: (done: number, total: number) => void = () => {},
): Promise<ValidationResult | undefined> {
  const { recipe, validation: images } = run
  const { validate: validation } = recipe
  if (!validation || !images) return undefined
  const shown: (Pair & { readonly output: Image })[] = []
  let opened: Pair | undefined
  const pairs = async function* () {
    for (let i = 0; i < images.names.length; i++) {
      opened = await openPair(recipe, validation, images, i)
      yield opened
    }
  }
  const restore = (input: Image) => {
    const output = restoreImage(run, validation, input)
    if (opened && shown.length < (validation.pictures ?? 4)) shown.push({ ...opened, output })
    return output
  }
  let done = 0
  const { mean, rows } = await evaluate(pairs(), restore, validation.metrics, {
    onRow: () => onImage(++done, images.names.length),
  })
  const failed = rows.find(({ error }) => error !== undefined)
  if (failed) throw new RestoreError('input', `validation, ${failed.name}: ${failed.error}`)
  const pictures = await Promise.all(
    shown.map(async ({ name, input, output, reference }, i) => {
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
  const [decisive] = validation.metrics
  const { lowerIsBetter } = factsOf(decisive)
  const isBetter = (value: number, than: number) => (lowerIsBetter ? value < than : value > than)
  return { metrics: mean, decisive, isBetter, pictures }
}

async function openPair(
  { network, seed }: Recipe,
  { images, degrade, crop: side }: Validation<object>,
  { sources }: OpenImages,
  index: number,
): Promise<Pair> {
  const { channels, scale } = images
  const open = async (source: ImageSource) => {
    const pixels = await decodeShared(source, index, channels)
    return withChannels(pixelsToPlanes(pixels).image, channels)
  }
  const { input: damaged, target } = sources
  if (!target || (!damaged && !degrade)) {
    throw new RestoreError(
      'usage',
      'validate: expected images with views input and target, or target and degrade',
    )
  }
  const truth = await open(target)
  const { multipleOf = 1 } = network
  const [height, width] = [truth.height, truth.width].map((size) => {
    const whole = Math.floor(size / scale)
    const wanted = Math.min(whole, side ?? whole)
    return { size: wanted - (wanted % multipleOf), start: (whole - wanted) >> 1 }
  }) as [Span, Span]
  const middle = (image: Image, times: number) =>
    crop(image, height.start * times, width.start * times, height.size * times, width.size * times)
  const reference = middle(truth, scale)
  const random = streamOf(seed, 'validation').fork(index)
  const input = damaged ? middle(await open(damaged), 1) : (degrade?.(reference, random) ?? reference)
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
