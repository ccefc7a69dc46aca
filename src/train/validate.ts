// Validation inside a training: the same pictures with the same damage every time.

import { RestoreError } from '../core/errors.ts'
import { counterRandom } from '../core/random.ts'
import { encodeImage } from '../data/codec.ts'
import { crop, type Image, imageToTensor, tensorToImage } from '../data/image.ts'
import { noGrad, scope, toTorch } from '../torch/backend.ts'
import { decodeBitmap, type ImageItem, listImages } from './loader/images.ts'
import type { Recipe, Validation } from './recipe.ts'
import type { Picture } from './report/html.ts'
import { publishedNetwork, type Run } from './run.ts'

export interface ValidationResult {
  /** Means over the images. */
  readonly metrics: Readonly<Record<string, number>>
  readonly pictures: readonly Picture[]
}

/** Restores the validation images and measures the results. */
export async function validate(
  run: Run,
  validation: Validation<object>,
  onImage: (done: number, total: number) => void = () => {},
): Promise<ValidationResult> {
  const items = listImages(validation.images)
  const scores: number[] = []
  const pictures: Picture[] = []
  for (const [i, item] of items.entries()) {
    const { input, target } = await openPair(run.recipe, validation, item, i)
    const output = restoreImage(run, validation, input)
    const score = psnr(output, target)
    scores.push(score)
    if (i < (validation.pictures ?? 4)) {
      const [before, after, truth] = await Promise.all([input, output, target].map(dataUrl))
      const caption = `${psnr(input, target).toFixed(2)} dB before, ${score.toFixed(2)} dB after`
      pictures.push({
        name: item.name,
        caption,
        input: before ?? '',
        output: after ?? '',
        truth: truth ?? '',
      })
    }
    onImage(i + 1, items.length)
  }
  return { metrics: { psnr: scores.reduce((sum, score) => sum + score, 0) / scores.length }, pictures }
}

async function openPair(
  { network, seed }: Recipe,
  { images, degrade, crop: side }: Validation<object>,
  item: ImageItem,
  index: number,
): Promise<{ readonly input: Image; readonly target: Image }> {
  const open = async (file: string) => {
    const { width, height, channels, samples } = await decodeBitmap(file, images.channels)
    const pixels = width * height
    const peak = samples instanceof Uint16Array ? 65535 : 255
    const data = new Float32Array(channels * pixels)
    for (let c = 0; c < channels; c++) {
      for (let k = 0; k < pixels; k++) data[c * pixels + k] = (samples[k * channels + c] as number) / peak
    }
    return middle({ width, height, channels, data }, side, network.multipleOf ?? 1)
  }
  const { input, target } = item.files
  if (target === undefined || (input === undefined && !degrade)) {
    throw new RestoreError(
      'usage',
      'validate: expected images with views input and target, or target and degrade',
    )
  }
  const truth = await open(target)
  if (input !== undefined) return { input: await open(input), target: truth }
  const random = counterRandom(seed).fork(5).fork(index)
  return { input: degrade?.(truth, random) ?? truth, target: truth }
}

/** The middle of an image, at most `side`, its sides cut to multiples. */
function middle(image: Image, side: number | undefined, multipleOf: number): Image {
  const [height, width] = [image.height, image.width].map((size) => {
    const wanted = Math.min(size, side ?? size)
    return wanted - (wanted % multipleOf)
  }) as [number, number]
  return crop(image, (image.height - height) >> 1, (image.width - width) >> 1, height, width)
}

function restoreImage(run: Run, validation: Validation<object>, input: Image): Image {
  const values = scope(() =>
    noGrad(() => validation.restore(publishedNetwork(run), toTorch(imageToTensor(input), run.device)).read()),
  )
  const image = tensorToImage(values)
  return { ...image, data: image.data.map((value) => Math.min(Math.max(value, 0), 1)) }
}

function psnr(a: Image, b: Image): number {
  let sum = 0
  for (let i = 0; i < a.data.length; i++) sum += ((a.data[i] as number) - (b.data[i] as number)) ** 2
  return -10 * Math.log10(sum / a.data.length)
}

async function dataUrl(image: Image): Promise<string> {
  const bytes = await encodeImage({ image, alpha: undefined, depth: 8, format: 'webp' })
  return `data:image/webp;base64,${Buffer.from(bytes).toString('base64')}`
}
