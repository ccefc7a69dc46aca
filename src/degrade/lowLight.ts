// Too little light: dark, noisy exposures, and shadows cast by something outside the image. Both are applied
// in linear light.

import { power } from '../core/exactMath.ts'
import type { Random } from '../core/random.ts'
import { sensorErrors } from './camera.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { guessDepth } from './haze.ts'
import { between, blurField, emptyField, type Field, noiseField, smoothstep } from './numerics/fields.ts'
import { decodeSrgb, encodeSrgb, tabulate } from './numerics/srgb.ts'

const lowLightParameters = {
  stops: {
    type: 'number',
    summary: 'underexposure',
    unit: 'stops',
    minimum: 0,
    maximum: 10,
    default: [1.5, 3.8],
  },
  gamma: {
    type: 'number',
    summary: 'exponent of the tone curve applied afterwards; above 1 darkens the shadows further',
    unit: '',
    minimum: 0.2,
    maximum: 5,
    default: [0.85, 1.1],
  },
  warmth: {
    type: 'number',
    summary: 'white balance shift: stops of red gained relative to blue',
    unit: 'stops',
    minimum: -2,
    maximum: 2,
    default: [-0.3, 0.5],
  },
  shot: {
    type: 'number',
    summary: 'variance of the photon noise, relative to white at full exposure',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.0005, 0.003],
  },
  read: {
    type: 'number',
    summary: 'standard deviation of the read noise, in linear light',
    unit: '0..255',
    minimum: 0,
    maximum: 50,
    default: [0.25, 1],
  },
} as const satisfies Parameters

/** An underexposed photo: dark, off-color, with sensor noise. */
export const lowLight = defineDegradation({
  name: 'low-light',
  summary: 'an underexposed photo: dark, off-color, with sensor noise',
  source:
    'exposure and white balance in linear light, then the sensor noise of camera-noise, then the tone curve',
  parameters: lowLightParameters,
  apply(image, drawn, random) {
    const pixels = image.width * image.height
    const { shot, read } = drawn
    const exposure = power(2, -drawn.stops)
    const tint = power(2, drawn.warmth / 2)
    const gains = image.channels === 3 ? [exposure * tint, exposure, exposure / tint] : [exposure]
    const data = image.data.slice()
    for (const [c, gain] of gains.entries()) {
      const plane = data.subarray(c * pixels, (c + 1) * pixels)
      for (let i = 0; i < pixels; i++) plane[i] = decodeSrgb(plane[i]!) * gain
    }
    const noise = sensorErrors({ ...image, data }, { shot, read: read / 255 }, random)
    const tone = tabulate((value) => power(value, drawn.gamma))
    for (let i = 0; i < data.length; i++) data[i] = tone(encodeSrgb(data[i]! + noise[i]!))
    return { ...image, data }
  },
})

/** Mask of the shadow: 1 inside, 0 outside. */
function shadowMask(width: number, height: number, shape: string, softness: number, random: Random): Field {
  const field = shape === 'foliage' ? foliage(width, height, random) : outline(width, height, shape, random)
  return blurField(field, softness)
}

/** Shadow of a large object: one side of a wavy line, or a rounded patch. */
function outline(width: number, height: number, shape: string, random: Random): Field {
  const field = emptyField(width, height)
  const reach = Math.max(width, height)
  const waves = noiseField(
    width,
    height,
    reach / between(random, 1.5, 4),
    shape === 'patch' ? 3 : 2,
    random,
  ).values
  const x0 = width * between(random, 0.3, 0.7)
  const y0 = height * between(random, 0.3, 0.7)
  const a = random.normal()
  const b = random.normal()
  const norm = Math.sqrt(a * a + b * b) || 1
  const radius = reach * between(random, 0.2, 0.35)
  const stretch = between(random, 0.6, 1.6)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const along = ((x - x0) * a + (y - y0) * b) / norm
      const across = ((x - x0) * b - (y - y0) * a) / norm
      const distance =
        shape === 'edge' ? along : Math.sqrt(along * along * stretch + (across * across) / stretch) - radius
      const wave = reach * (shape === 'edge' ? 0.06 : 0.08)
      field.values[y * width + x] = smoothstep(1, -1, distance + wave * waves[y * width + x]!)
    }
  }
  return field
}

/** Shadow of leaves and branches, with spots of light. */
function foliage(width: number, height: number, random: Random): Field {
  const reach = Math.max(width, height)
  const crowns = noiseField(width, height, reach / 2.5, 2, random).values
  const leaves = noiseField(width, height, reach / between(random, 14, 28), 3, random).values
  const values = crowns.map((crown, i) => smoothstep(-0.35, 0.35, crown * 1.1 + leaves[i]! + 0.1))
  return { width, height, values }
}

const shadowParameters = {
  shape: {
    type: 'choice',
    summary: 'random, one side of a wavy line, a patch, or leaves',
    choices: ['any', 'edge', 'patch', 'foliage'],
    default: 'any',
  },
  strength: {
    type: 'number',
    summary: 'share of light that the shadow blocks',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.5, 0.8],
  },
  softness: {
    type: 'number',
    summary: 'standard deviation of the edge blur',
    unit: 'px',
    minimum: 0,
    maximum: 500,
    default: [1.5, 8],
  },
  blue: {
    type: 'number',
    summary: 'blue tint of the shadow, from the sky',
    unit: '',
    minimum: 0,
    maximum: 1,
    default: [0.05, 0.25],
  },
} as const satisfies Parameters

const shapes = ['edge', 'patch', 'foliage']

/** A soft-edged, bluish shadow cast by something outside the image. */
export const shadow = defineDegradation({
  name: 'shadow',
  summary: 'a soft-edged, bluish shadow cast by something outside the image',
  source: 'I_shadow = a I_lit per color in linear light (Le and Samaras, ICCV 2019), shapes from noise',
  parameters: shadowParameters,
  apply(image, drawn, random) {
    const { width, height, channels } = image
    const pixels = width * height
    const shape = drawn.shape === 'any' ? shapes[random.integer(shapes.length)]! : drawn.shape
    const mask = shadowMask(width, height, shape, drawn.softness, random.fork(0)).values
    const depth = guessDepth(image, random.fork(1)).values
    const remaining = 1 - drawn.strength
    const gains =
      channels === 3 ? [remaining * (1 - drawn.blue), remaining, remaining * (1 + drawn.blue)] : [remaining]
    // The sky receives no shadow.
    const shade = mask.map((value, i) => value * smoothstep(0.82, 0.62, depth[i]!))
    const data = image.data.slice()
    for (const [c, share] of gains.entries()) {
      const plane = data.subarray(c * pixels, (c + 1) * pixels)
      const blocked = 1 - Math.min(share, 1)
      for (let i = 0; i < pixels; i++)
        plane[i] = encodeSrgb(decodeSrgb(plane[i]!) * (1 - shade[i]! * blocked))
    }
    return { ...image, data }
  },
})
