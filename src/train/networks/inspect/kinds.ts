// The kinds of damage that light-inspect learns, from barely visible to severe, and how much each changes a
// picture.

import type { Random } from '../../../core/random.ts'
import type { Image } from '../../../data/image.ts'
import { oneOf } from '../../../degrade/chain.ts'
import type { Degrade } from '../../../degrade/defineDegradation.ts'
import {
  blur,
  cameraNoise,
  haze,
  holes,
  jpeg,
  jpegBlocks,
  lowLight,
  noise,
  poisson,
  rain,
  raindrops,
  shadow,
  snow,
  speckle,
} from '../../../degrade/degradationTable.ts'
import { inLinearLight } from '../../../degrade/linearLight.ts'
import { clamp01 } from '../../../degrade/noise.ts'
import { between, blendTowards, drawStroke, emptyField } from '../../../degrade/numerics/fields.ts'
import { resizeTo } from '../../../degrade/resize.ts'
import type { DamageId, NoiseForm } from '../../../models/damages.ts'
import { backlight } from '../tone/exposure.ts'

/** Applies a step to a smaller or larger copy, so that its blocks or grains have another size. */
function atScale(low: number, high: number, step: Degrade): Degrade {
  return (image, random) => {
    const { width, height } = image
    const scale = between(random, low, high)
    const size = { width: Math.round(scale * width), height: Math.round(scale * height) }
    return resizeTo(step(resizeTo(image, size), random.fork(1)), image)
  }
}

/** Grain of a film or of an enlarged picture: noise on a coarser grid, gray in most cases. */
const grain: Degrade = (image, random) => {
  const { width, height, channels } = image
  const share = between(random, 0.35, 0.85)
  const [w, h] = [Math.ceil(width * share), Math.ceil(height * share)]
  const isGray = random.uniform() < 0.65
  const planes = isGray ? 1 : channels
  const field = new Float32Array(planes * w * h)
  random.fillNormal(field)
  const { data } = resizeTo({ width: w, height: h, channels: planes, data: field }, { width, height })
  const sigma = 2 ** between(random, 2, 5.4) / 255
  // Film shows most grain between black and white.
  const isFilm = random.uniform() < 0.5
  const out = image.data.map((value, i) => {
    const share = isFilm ? 0.4 + 2.4 * value * (1 - value) : 1
    return value + sigma * share * data[i % data.length]!
  })
  return { ...image, data: out }
}

const evenNoise = oneOf([
  [3, noise({ sigma: [2, 20], clip: 'on' })],
  [3, noise({ sigma: [10, 60], clip: 'on' })],
  [1, noise({ sigma: [3, 40], color: 'gray', clip: 'on' })],
])

const sensorNoise = oneOf([
  [3, cameraNoise({ shot: [0.0001, 0.003], read: [0.2, 2.5] })],
  [3, cameraNoise({ shot: [0.001, 0.02], read: [0.2, 8] })],
  [1, poisson({ scale: [0.3, 2.5], clip: 'on' })],
  [1, speckle({ sigma: [6, 60], clip: 'on' })],
])

/** Noise by its form. */
export const noises: Readonly<Record<NoiseForm, Degrade>> = { even: evenNoise, sensor: sensorNoise, grain }

const motion = oneOf([
  [2, blur({ kernel: 'line', length: [4, 12] })],
  [2, blur({ kernel: 'line', length: [8, 28] })],
  [2, blur({ kernel: 'shake', length: [6, 32] })],
])

const defocus = oneOf([
  [3, blur({ kernel: 'disc', radius: [1, 6] })],
  [2, blur({ kernel: 'iso', sigma: [0.9, 4] })],
])

function inEitherLight(step: Degrade): Degrade {
  return oneOf([step, inLinearLight(step, { highlights: [1, 5] })])
}

const compressed = oneOf([
  [3, jpeg({ quality: [4, 30] })],
  [2, jpeg({ quality: [25, 75] })],
  [2, jpeg({ quality: [5, 60], subsampling: '4:4:4' })],
  [1, jpegBlocks()],
  // Blocks of 4 and 16 pixels, as other codecs have, and of odd sizes, as in scaled pictures.
  [1, atScale(1.9, 2, jpeg({ quality: [3, 15] }))],
  [1, atScale(0.5, 0.6, jpeg({ quality: [5, 40] }))],
  [1, atScale(0.7, 1.4, jpeg({ quality: [5, 40] }))],
])

/** Enlarges a picture that was made smaller. */
const lowResolution: Degrade = (image, random) => {
  const { width, height } = image
  const share = between(random, 0.2, 0.6)
  const size = { width: Math.round(share * width), height: Math.round(share * height) }
  const methods = ['bicubic', 'bicubic', 'linear', 'nearest'] as const
  const method = methods[random.integer(methods.length)]!
  return resizeTo(resizeTo(image, size), image, { method })
}

/** Long thin lines of age and wear, light or dark. */
const scratches: Degrade = (image, random) => {
  const { width, height, channels } = image
  const field = emptyField(width, height)
  const count = 2 + random.integer(14)
  for (let i = 0; i < count; i++) {
    const angle = between(random, -0.3, 0.3) + (random.uniform() < 0.3 ? Math.PI / 2 : 0)
    let [x, y] = [width * random.uniform(), height * random.uniform()]
    let bend = angle
    const pieces = 1 + random.integer(8)
    const length = between(random, 8, 40)
    const radius = between(random, 0.8, 2.5)
    const opacity = between(random, 0.4, 1)
    for (let piece = 0; piece < pieces; piece++) {
      const [dx, dy] = [Math.sin(bend), Math.cos(bend)]
      drawStroke(field, { x, y, dx, dy, length, radius, opacity, taper: 0.1, core: 0.4 })
      x += dx * length
      y += dy * length
      bend += 0.15 * random.normal()
    }
  }
  const level = random.uniform() < 0.65 ? between(random, 0.8, 1) : between(random, 0, 0.25)
  return blendTowards(
    image,
    field,
    Array.from({ length: channels }, () => level),
  )
}

/** Every kind but noise, in the order in which light, lens, sensor and file add them. */
export const kinds: Readonly<Record<Exclude<DamageId, 'noise'>, Degrade>> = {
  'motion-blur': inEitherLight(motion),
  defocus: inEitherLight(defocus),
  haze: oneOf([haze({ density: [0.5, 3], light: [0.6, 1] }), haze({ patches: 0 })]),
  shadow: shadow({ strength: [0.45, 0.92], softness: [1, 10] }),
  'low-light': oneOf([
    [3, lowLight({ stops: [1, 4.5], shot: 0, read: 0 })],
    [1, (image, random) => backlight(image, random).photo],
  ]),
  rain: oneOf([
    [2, rain({ amount: [15, 150], opacity: [0.3, 0.9], angle: [-45, 45] })],
    [1, rain({ blend: 'additive', veil: 0, amount: [10, 120], length: [8, 60] })],
  ]),
  snow: oneOf([
    [2, snow({ amount: [20, 140], opacity: [0.6, 0.95] })],
    [1, snow({ amount: [5, 60], size: [3, 16], opacity: [0.4, 1], speed: [0, 4] })],
  ]),
  raindrops: oneOf([
    [2, raindrops({ amount: [2, 16], size: [14, 44], defocus: [0.4, 2.5] })],
    [1, raindrops({ amount: [0.3, 2], size: [40, 140], defocus: [0.5, 5] })],
  ]),
  'low-resolution': lowResolution,
  holes: oneOf([
    [2, holes({ coverage: [0.01, 0.3] })],
    [1, scratches],
  ]),
  jpeg: compressed,
}

/** Root mean square of what a damage changes, of 255: where it begins to show, and where it is severe. */
const shows: Readonly<Record<DamageId, readonly [faint: number, severe: number]>> = {
  noise: [2, 40],
  jpeg: [2.5, 16],
  'motion-blur': [3, 30],
  defocus: [3, 30],
  rain: [2, 40],
  raindrops: [3, 30],
  snow: [3, 50],
  haze: [12, 90],
  'low-light': [15, 110],
  shadow: [8, 60],
  holes: [4, 90],
  'low-resolution': [2.5, 20],
}

/** Root mean square difference of two pictures as files hold them, of 255. */
export function rmsOf(before: Image, after: Image): number {
  let sum = 0
  for (let i = 0; i < before.data.length; i++)
    sum += (clamp01(after.data[i]!) - clamp01(before.data[i]!)) ** 2
  return 255 * Math.sqrt(sum / before.data.length)
}

/**
 * Severity of a damage by what it changed: from 0, where it begins to show, to 1, on the scale of logarithms.
 * Blur of a plain wall changes nothing and is none.
 */
export function severityOf(kind: DamageId, rms255: number): number {
  const [faint, severe] = shows[kind]
  return Math.min(Math.max(Math.log(Math.max(rms255, 1e-3) / faint) / Math.log(severe / faint), 0), 1)
}

/** Draws a form of noise. */
export function drawForm(random: Random): NoiseForm {
  const drawn = random.uniform()
  return drawn < 0.4 ? 'even' : drawn < 0.75 ? 'sensor' : 'grain'
}
