// The tone network's inputs from a view, and maps from its outputs.

import { float32Data, type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData } from '../../core/session.ts'
import { type Image, imageToTensor } from '../image.ts'
import { type Color, toneFeatures } from './features.ts'
import type { Plane } from './planes.ts'
import type { ToneMaps } from './toneMaps.ts'

/** Inputs of the network for a view [3 h w]. */
export function toneInputs(view: Image): NamedData {
  const { priors, airlight } = toneFeatures(view)
  return {
    view: imageToTensor(view),
    priors: imageToTensor(priors),
    priorLight: float32Data(Float32Array.from(airlight), [1, 3]),
  }
}

/** Faults about this small are the network's doubt and are pressed towards none. */
const doubt = { veil: 0.01, gain: 0.03, balance: 0.02 }

/** Power of the transmission that is undone: photos without any haze look harsh and dark. */
const undone = 0.75

/** x for large values, far less below `level`; smooth in between. */
function confident(x: number, level: number): number {
  return (x * Math.abs(x)) / (Math.abs(x) + level)
}

/**
 * Maps of one photo from the network's outputs.
 * @throws RestoreError 'numeric' for one that is missing or not finite
 */
export function toneMapsOf(outputs: NamedData): ToneMaps {
  const { transmission, gain } = outputs
  const [lightRed, lightGreen, lightBlue] = colorOf('airlight', outputs.airlight)
  const balance = colorOf('balance', outputs.balance)
  const [red, green, blue] = balance
  // The color as a whole is doubted, so that a cast keeps its hue.
  const size = Math.hypot(red, green, blue)
  const share = size / (size + doubt.balance)
  return {
    transmission: planeOf('transmission', transmission, (t) => {
      const found = 1 - confident(Math.max(1 - t, 0), doubt.veil)
      return Math.max(found, 0) ** undone
    }),
    gain: planeOf('gain', gain, (value) => confident(value, doubt.gain)),
    airlight: [limitedLight(lightRed), limitedLight(lightGreen), limitedLight(lightBlue)],
    balance: [red * share, green * share, blue * share],
  }
}

/** Light of the air lies between that of dusk and white. */
function limitedLight(value: number): number {
  return Math.min(Math.max(value, 0.2), 1)
}

function planeOf(name: string, output: TensorData | undefined, value: (x: number) => number): Plane {
  const values = numbersOf(name, output)
  const [, , height = 0, width = 0] = output?.shape ?? []
  return { width, height, values: values.map(value) }
}

function colorOf(name: string, output: TensorData | undefined): Color {
  const [red = 0, green = 0, blue = 0] = numbersOf(name, output)
  return [red, green, blue]
}

function numbersOf(name: string, output: TensorData | undefined): Float32Array {
  const values = output?.dtype === 'float32' ? viewAs(output.bytes, Float32Array) : undefined
  if (values?.every(Number.isFinite)) return values
  throw new RestoreError(
    'numeric',
    `tone: expected finite float32 values of ${name}, got others; the weights may be damaged`,
  )
}
