// Targets for training on few photos. Crops are shrunk, which removes their own noise and JPEG artifacts, and
// get other colors and exposures; synthetic pictures add what photos rarely show.

import { RestoreError } from '../../core/errors.ts'
import { power } from '../../core/exactMath.ts'
import { permutation, type Random, weightedIndex } from '../../core/random.ts'
import { unknownName } from '../../core/unknownName.ts'
import { grayWeights, withChannels } from '../../data/color.ts'
import { type Image, in8Bits, type Pixels, peakOf } from '../../data/image.ts'
import { cutPatch, drawPlace } from '../../data/patches.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import { between } from '../../degrade/numerics/fields.ts'
import { decodeSrgb, encodeSrgb } from '../../degrade/numerics/srgb.ts'
import { type PictureName, pictures } from '../../degrade/pictures/pictureTable.ts'
import { resizeTo } from '../../degrade/resize.ts'
import type { Draw } from './samples.ts'

/** Options of {@link truth}. */
export interface TruthOptions {
  /** Share of synthetic pictures. @default 0.2 */
  readonly synthetic?: number
  /** Relative weight of each synthetic kind; omitted kinds are not drawn. @default {@link pictureWeights} */
  readonly kinds?: Readonly<Partial<Record<PictureName, number>>>
  /** Share of photos fitted into the crop as a whole, for damage that needs global context. @default 0.05 */
  readonly whole?: number
  /** Range of the scale factor of the other photos. @default [0.5, 0.8] */
  readonly shrink?: readonly [low: number, high: number]
  /** Whether photos keep colors and exposure. @default false */
  readonly keepsColors?: boolean
}

/** Default weights of the synthetic kinds. */
export const pictureWeights: Readonly<Record<PictureName, number>> = {
  'dead-leaves': 6,
  text: 4,
  'line-art': 3,
  gradients: 3,
  stars: 1.5,
  lamps: 2,
  gratings: 1.5,
}

/**
 * Creates a function that draws targets [c side side] of 8 bits, where `side` is the crop times the scale of
 * the images: synthetic pictures, shrunk crops and whole photos. A photo too small for the drawn factor is
 * shrunk less. Ignores `data.frame`.
 * @throws usage, where an option is out of range
 * @example sample: degradedTruth(truth(), jpeg({ quality: [10, 90] }))
 */
export function truth(options: TruthOptions = {}): (draw: Draw) => Image {
  const { synthetic = 0.2, kinds = pictureWeights, whole = 0.05, shrink = [0.5, 0.8] } = options
  const { keepsColors = false } = options
  checkShare('synthetic', synthetic)
  checkShare('whole', whole)
  checkRange(shrink)
  const pick = weighted(kinds, synthetic)
  return (draw) => {
    const random = draw.random.fork(2)
    const { channels, scale } = draw.data.images
    const side = draw.phase.crop * scale
    if (random.uniform() < synthetic) {
      const picture = pictures[pick(random)].draw({ width: side, height: side }, random.fork(1))
      return withChannels(picture, channels)
    }
    const photo = draw.views.target
    if (!photo)
      throw new RestoreError('usage', `truth: expected a view target, got ${Object.keys(draw.views)}`)
    const isWhole = random.uniform() < whole
    const share = isWhole ? 0 : between(random, ...shrink)
    const cut = shrunk(photo, { side, share, channels }, random.fork(2))
    return keepsColors ? in8Bits(cut) : in8Bits(recolored(cut, random.fork(3)))
  }
}

/** Options of {@link degradedTruth}. */
export interface DegradedTruthOptions {
  /** Downscales a target to the crop's size where `scale` is above 1. @default antialiased bicubic */
  readonly downscale?: Degrade
}

/**
 * Creates samples whose input is the degraded target. Where `data.images.scale` is above 1, the target is
 * downscaled before it is degraded.
 * @throws shape, where the input does not have the crop's size
 */
export function degradedTruth(
  target: (draw: Draw) => Image,
  degrade: Degrade,
  { downscale }: DegradedTruthOptions = {},
): (draw: Draw) => { input: Image; target: Image } {
  return (draw) => {
    const whole = target(draw)
    const { scale } = draw.data.images
    const { crop } = draw.phase
    const small = scale === 1 ? whole : (downscale ?? toCrop(crop))(whole, draw.random.fork(4))
    const input = degrade(small, draw.random.fork(1))
    if (input.width === crop && input.height === crop) return { input, target: whole }
    const got = `${input.width} x ${input.height}`
    throw new RestoreError('shape', `degradedTruth: expected an input of ${crop} x ${crop} px, got ${got}`)
  }
}

function toCrop(side: number): Degrade {
  return (image) => resizeTo(image, { width: side, height: side })
}

function checkShare(name: string, share: number): void {
  if (share >= 0 && share <= 1) return
  throw new RestoreError('usage', `truth: expected ${name} from 0 to 1, got ${share}`)
}

function checkRange([low, high]: readonly [number, number]): void {
  if (low > 0 && low <= high && high <= 1) return
  throw new RestoreError(
    'usage',
    `truth: expected shrink as a range above 0 and up to 1, got ${low}..${high}`,
  )
}

/** Creates a function that draws a kind by weight. */
function weighted(
  kinds: NonNullable<TruthOptions['kinds']>,
  synthetic: number,
): (random: Random) => PictureName {
  const names = Object.keys(pictures) as PictureName[]
  for (const name of Object.keys(kinds)) {
    if (Object.hasOwn(pictures, name)) continue
    throw unknownName('kind of truth', name, names)
  }
  const weights = names.map((name) => kinds[name] ?? 0)
  if (synthetic > 0 && !(Math.max(...weights) > 0 && Math.min(...weights) >= 0)) {
    const got = weights.join(', ')
    throw new RestoreError('usage', `truth: expected weights of kinds of at least 0, not all 0, got ${got}`)
  }
  return (random) => names[weightedIndex(weights, random)]!
}

export interface Cut {
  /** Side of the result in px. */
  readonly side: number
  /** Scale factor; 0 for the largest square of the photo. */
  readonly share: number
  readonly channels: 1 | 3
  /** Whether the square keeps its orientation. @default false */
  readonly isUpright?: boolean
}

/** Cuts a random square, by default in one of eight orientations, and shrinks it with antialiasing. */
export function shrunk(
  photo: Pixels,
  { side, share, channels, isUpright = false }: Cut,
  random: Random,
): Image {
  const shorter = Math.min(photo.width, photo.height)
  const wanted = share === 0 ? shorter : Math.min(Math.round(side / share), shorter)
  // `cutPatch` mirrors a photo smaller than the crop.
  const from = Math.max(wanted, side)
  const factor = Math.max(Math.floor(from / (2 * side)), 1)
  const source = factor === 1 ? photo : averaged(photo, factor)
  const length = Math.max(Math.floor(from / factor), side)
  const cut = cutPatch(source, drawPlace(source, length, random, { isUpright }), channels)
  return length === side ? cut : resizeTo(cut, { width: side, height: side })
}

/** Averages blocks of factor x factor px to 16 bits, much faster than a wide kernel; drops opacity. */
function averaged(photo: Pixels, factor: number): Pixels {
  const { channels } = photo
  const step = channels + (photo.hasAlpha ? 1 : 0)
  const width = Math.floor(photo.width / factor)
  const height = Math.floor(photo.height / factor)
  const unit = 65535 / (peakOf(photo.data) * factor * factor)
  const data = new Uint16Array(width * height * channels)
  const sums = new Float64Array(width * channels)
  for (let y = 0; y < height; y++) {
    sums.fill(0)
    for (let row = y * factor; row < (y + 1) * factor; row++) addRow(sums, photo, row, { factor, step })
    for (let i = 0; i < sums.length; i++) data[y * sums.length + i] = Math.round(unit * sums[i]!)
  }
  return { width, height, channels, hasAlpha: false, data }
}

function addRow(
  sums: Float64Array,
  { width, channels, data }: Pixels,
  row: number,
  { factor, step }: { readonly factor: number; readonly step: number },
): void {
  let from = row * width * step
  for (let at = 0; at < sums.length; at += channels) {
    for (let i = 0; i < factor; i++, from += step) {
      for (let c = 0; c < channels; c++) sums[at + c] = sums[at + c]! + data[from + c]!
    }
  }
}

/**
 * Changes the colors of an image in 0..1 at random: permutes channels (probability 0.4), scales exposure by
 * -2 to 0.5 stops in linear light (0.5) and saturation around luma by 0.3 to 2.2 (0.5), inverts (0.05).
 */
export function recolored(image: Image, random: Random): Image {
  const { channels, width, height } = image
  const pixels = width * height
  const isColor = channels === 3
  const isPermuted = random.uniform() < 0.4
  const order = isColor && isPermuted ? permutation(3, random) : [0, 1, 2]
  const stops = random.uniform() < 0.5 ? between(random, -2, 0.5) : 0
  // Strong saturation is rarer, as it amplifies the color noise that is left.
  const saturation = isColor && random.uniform() < 0.5 ? 0.3 + 1.9 * power(random.uniform(), 1.4) : 1
  const isNegative = random.uniform() < 0.05
  const data = new Float32Array(image.data.length)
  for (let c = 0; c < channels; c++) {
    const from = isColor ? order[c]! : c
    data.set(image.data.subarray(from * pixels, (from + 1) * pixels), c * pixels)
  }
  if (stops !== 0) {
    const gain = power(2, stops)
    for (let i = 0; i < data.length; i++) data[i] = encodeSrgb(gain * decodeSrgb(data[i]!))
  }
  if (saturation !== 1) saturate(data, pixels, saturation)
  for (let i = 0; i < data.length; i++) {
    const value = Math.min(Math.max(data[i]!, 0), 1)
    data[i] = isNegative ? 1 - value : value
  }
  return { ...image, data }
}

/** Scales the saturation of colors [3 pixels] around their luma in place. */
function saturate(data: Float32Array, pixels: number, factor: number): void {
  const [red, green, blue] = grayWeights
  for (let i = 0; i < pixels; i++) {
    const luma = red * data[i]! + green * data[pixels + i]! + blue * data[2 * pixels + i]!
    for (let at = i; at < data.length; at += pixels) data[at] = luma + factor * (data[at]! - luma)
  }
}
