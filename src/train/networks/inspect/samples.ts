// Samples for light-inspect: a picture with no damage or several kinds of it, and what is known about each.
// Among them is what deceives: nights, sunsets, stars, lamps, text, a blurred background, small stones.

import { estimateDamage } from '../../../auto/estimates/estimate.ts'
import { estimateVector } from '../../../auto/estimates/estimateVector.ts'
import { cropAt } from '../../../auto/views.ts'
import { float32Data, type TensorData } from '../../../core/data.ts'
import { type Random, weightedIndex } from '../../../core/random.ts'
import { type Image, in8Bits, type Pixels } from '../../../data/image.ts'
import { viewOf } from '../../../data/tone/view.ts'
import type { Degrade } from '../../../degrade/defineDegradation.ts'
import { blur } from '../../../degrade/degradationTable.ts'
import { between, noiseField, smoothstep } from '../../../degrade/numerics/fields.ts'
import { type PictureName, pictures } from '../../../degrade/pictures/pictureTable.ts'
import { resizeTo } from '../../../degrade/resize.ts'
import { type DamageId, damageIds, type NoiseForm, noiseForms } from '../../../models/damages.ts'
import { type Draw, stackSamples } from '../../samples/samples.ts'
import { recolored, shrunk } from '../../samples/truth.ts'
import { night, sunset } from '../tone/exposure.ts'
import { drawForm, kinds, noises, rmsOf, severityOf } from './kinds.ts'

/** Crops of a picture. */
const cropCount = 3

/** Pictures made of one photo: reading it takes nearly as long as damaging it. */
const picturesOfPhoto = 4

/** A picture for light-inspect; kinds and forms are in the order of `damages` and `noiseForms`. */
export type InspectSample = {
  /** The whole picture [3 s s]. */
  readonly view: Image
  /** Crops of it, one upon another [3·k s s]. */
  readonly crops: Image
  /** What is estimated of it [20]. */
  readonly estimates: TensorData
  /** Whether each kind is there, 0..1: between them where it just begins to show [12]. */
  readonly presence: TensorData
  /** Severity of each kind, 0..1 [12]. */
  readonly severity: TensorData
  /** 0 for kinds that another hides, so that nobody could tell, else 1 [12]. */
  readonly known: TensorData
  /** 1 for the form of the noise, else 0 [3]. */
  readonly form: TensorData
}

/** Severity from which on a damage should be named without doubt. */
const surelyVisible = 0.15

/** Samples made of one photo, stacked. */
export type InspectSamples = Readonly<Record<keyof InspectSample, TensorData>>

/** Makes pictures of a photo, cut to the size of the phase's crop; what the network sees has half their sides. */
export function inspectSample({ views, phase, random }: Draw): InspectSamples {
  const { target } = views
  if (!target) throw new TypeError('inspectSample: expected a view target')
  const drawOne = (i: number) => drawSample(target, phase.crop, random.fork(i))
  return stackSamples(Array.from({ length: picturesOfPhoto }, (_, i) => drawOne(i))) as InspectSamples
}

function drawSample(target: Pixels, side: number, random: Random): InspectSample {
  const drawn = random.fork(1)
  const kind = drawn.uniform()
  if (kind < 0.12) return inspectSampleOf(drawPicture(side, random.fork(2)), random.fork(3))
  const size = drawn.uniform()
  // In native resolution, smaller, or as a whole.
  const share = size < 0.25 ? 1 : size < 0.8 ? between(drawn, 0.35, 0.9) : 0
  const cut = { side, share, channels: 3, isUpright: true } as const
  const photo = mirroredAtRandom(shrunk(target, cut, random.fork(2)), drawn)
  const clean = drawn.uniform() < 0.25 ? recolored(photo, random.fork(4)) : photo
  return inspectSampleOf(meant(clean, random.fork(5)), random.fork(3))
}

/** Makes a sample of an undamaged square picture [3 2·s 2·s]. */
export function inspectSampleOf(clean: Image, random: Random): InspectSample {
  const { image, facts } = damaged(clean, random.fork(1))
  const seen = in8Bits(image)
  const side = clean.width >> 1
  const places = random.fork(2)
  const crops = new Float32Array(3 * cropCount * side * side)
  for (let i = 0; i < cropCount; i++) crops.set(drawCrop(seen, side, places).data, 3 * i * side * side)
  const estimates = estimateVector(estimateDamage(seen))
  const vector = (values: readonly number[]) => float32Data(Float32Array.from(values), [values.length])
  const byKind = (value: (fact: Fact | undefined) => number) =>
    vector(damageIds.map((id) => value(facts.find(({ kind }) => kind === id))))
  const noise = facts.find(({ form }) => form !== undefined)
  return {
    view: viewOf(seen, side),
    crops: { width: side, height: side, channels: 3 * cropCount, data: crops },
    estimates: float32Data(estimates, [estimates.length]),
    presence: byKind((fact) => Math.min((fact?.severity ?? 0) / surelyVisible, 1)),
    severity: byKind((fact) => fact?.severity ?? 0),
    known: byKind((fact) => (fact?.isHidden ? 0 : 1)),
    form: vector(noiseForms.map((form) => (noise?.form === form && !noise.isHidden ? 1 : 0))),
  }
}

/** What is known about one damage of a picture. */
interface Fact {
  readonly kind: DamageId
  readonly severity: number
  /** Whether what came later may hide it. */
  readonly isHidden: boolean
  readonly form: NoiseForm | undefined
}

/** Relative frequency of the kinds; those that look like others are drawn more often. */
const weights: Readonly<Record<DamageId, number>> = {
  noise: 2.5,
  jpeg: 2,
  'motion-blur': 1.2,
  defocus: 1.2,
  rain: 1,
  raindrops: 1,
  snow: 1,
  haze: 1.2,
  'low-light': 1.2,
  shadow: 1.3,
  holes: 0.8,
  'low-resolution': 1.2,
}

/** Kinds of which a picture has one at most: the second would hide the first. */
const exclusive: readonly (readonly DamageId[])[] = [
  ['motion-blur', 'defocus', 'low-resolution'],
  ['rain', 'snow'],
  ['haze', 'low-light'],
]

/** Order in which light, lens, sensor, wear and file add their damage. */
const order: readonly DamageId[] = [
  'motion-blur',
  'defocus',
  'haze',
  'shadow',
  'low-light',
  'rain',
  'snow',
  'raindrops',
  'low-resolution',
  'noise',
  'holes',
  'jpeg',
]

function drawKinds(random: Random): readonly DamageId[] {
  const drawn = random.uniform()
  const count = drawn < 0.22 ? 0 : drawn < 0.68 ? 1 : drawn < 0.91 ? 2 : 3
  const chosen: DamageId[] = []
  while (chosen.length < count) {
    const open = damageIds.map((id) => {
      const isTaken = chosen.some(
        (one) => one === id || exclusive.some((group) => group.includes(one) && group.includes(id)),
      )
      return isTaken ? 0 : weights[id]
    })
    chosen.push(damageIds[weightedIndex(open, random)]!)
  }
  // In the dark a sensor is noisy.
  if (chosen.includes('low-light') && !chosen.includes('noise') && random.uniform() < 0.4)
    chosen.push('noise')
  return order.filter((id) => chosen.includes(id))
}

/** Damages a picture. */
function damaged(clean: Image, random: Random): { readonly image: Image; readonly facts: readonly Fact[] } {
  const chosen = drawKinds(random.fork(0))
  const isUnderNoise = chosen.includes('jpeg') && chosen.includes('noise') && random.uniform() < 0.2
  const steps = isUnderNoise ? chosen.toSorted((a) => (a === 'jpeg' ? -1 : 0)) : chosen
  let image = clean
  const found: { readonly kind: DamageId; readonly rms: number; readonly form: Fact['form'] }[] = []
  for (const [i, kind] of steps.entries()) {
    const form = kind === 'noise' ? (chosen.includes('low-light') ? 'sensor' : drawForm(random)) : undefined
    const step: Degrade = kind === 'noise' ? noises[form!] : kinds[kind]
    const before = image
    image = step(before, random.fork(i + 1))
    found.push({ kind, rms: rmsOf(before, image), form })
  }
  const rmsBy = (id: DamageId) => found.find(({ kind }) => kind === id)?.rms ?? 0
  const facts = found.map(({ kind, rms, form }): Fact => {
    const isHidden =
      (kind === 'jpeg' && isUnderNoise && rmsBy('noise') > 0.5 * rms) ||
      (kind === 'noise' && !isUnderNoise && rmsBy('jpeg') > rms)
    return { kind, severity: severityOf(kind, rms), isHidden, form }
  })
  return { image, facts }
}

/** A square of a picture, in most cases where JPEG's blocks begin. */
function drawCrop(image: Image, side: number, random: Random): Image {
  const room = image.width - side
  const unit = random.uniform() < 0.7 ? 8 : 1
  const start = () => unit * random.integer(Math.floor(room / unit) + 1)
  return cropAt(image, { top: start(), left: start() }, side)
}

function mirroredAtRandom(image: Image, random: Random): Image {
  if (random.uniform() < 0.5) return image
  const data = image.data.slice()
  for (let at = 0; at < data.length; at += image.width) data.subarray(at, at + image.width).reverse()
  return { ...image, data }
}

/** Weights of pictures that look damaged and are not. */
const deceiving = Object.entries({
  stars: 3,
  lamps: 3,
  text: 2,
  'dead-leaves': 2,
  gratings: 1,
  'line-art': 1,
  gradients: 1,
} satisfies Record<PictureName, number>) as [PictureName, number][]

function drawPicture(side: number, random: Random): Image {
  const [name] =
    deceiving[
      weightedIndex(
        deceiving.map(([, weight]) => weight),
        random,
      )
    ]!
  // Small leaves are like gravel.
  const times = name === 'dead-leaves' && random.uniform() < 0.6 ? 2 : 1
  const picture = pictures[name].draw({ width: times * side, height: times * side }, random.fork(1))
  return times === 1 ? picture : resizeTo(picture, { width: side, height: side })
}

/** Sometimes makes a photo of a night, a sunset, or a subject before a blurred background, as photographers do. */
function meant(photo: Image, random: Random): Image {
  const drawn = random.uniform()
  if (drawn < 0.09) return night(photo, random.fork(1))
  if (drawn < 0.13) return sunset(photo, random.fork(1))
  return drawn < 0.2 ? withBokeh(photo, random.fork(1)) : photo
}

/** Blurs what lies outside a patch that covers a quarter of a photo or more. */
function withBokeh(photo: Image, random: Random): Image {
  const { width, height, channels } = photo
  const pixels = width * height
  const far = blur({ kernel: 'disc', radius: [2, 9] })(photo, random.fork(1))
  const waves = noiseField(width, height, width / 2, 2, random.fork(2)).values
  const [x0, y0] = [between(random, 0.25, 0.75), between(random, 0.35, 0.9)]
  const radius = between(random, 0.3, 0.45)
  const data = new Float32Array(photo.data.length)
  for (let i = 0; i < pixels; i++) {
    const [x, y] = [(i % width) / width - x0, Math.floor(i / width) / height - y0]
    const near = smoothstep(radius * 1.15, radius * 0.85, Math.hypot(x, 0.7 * y) + 0.06 * waves[i]!)
    for (let c = 0; c < channels; c++) {
      const at = c * pixels + i
      data[at] = far.data[at]! + near * (photo.data[at]! - far.data[at]!)
    }
  }
  return { ...photo, data }
}
