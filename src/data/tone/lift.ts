// A little light for scenes that lie darker without their haze than people like: haze is bright, and eyes
// are used to it.

import type { Image } from '../image.ts'
import { luma } from './features.ts'
import { enlarged, type Plane, planeLike } from './planes.ts'
import { applyTone, planTone, type ToneMaps, type ToneOptions } from './toneMaps.ts'

/** Mean luma, of logs, that is bright enough. */
const enough = 0.38

/** Share of the way back to that brightness, or to the hazy one where it is darker. */
const share = 0.6

/** Most that is added to the log of the linear light. */
const mostLift = 0.7

/** Adds to the gain where haze is undone; clear parts and photos without haze stay as they are. */
export function liftedMaps(view: Image, maps: ToneMaps, options: ToneOptions): ToneMaps {
  const { width, height } = view
  const { values } = enlarged(maps.transmission, { width, height })
  const veil = planeLike({ width, height }, (i) => 1 - Math.min(Math.max(values[i]!, 0), 1))
  const meanVeil = mean(veil)
  if (!options.parts.haze || meanVeil === 0) return maps
  const plan = planTone(view, maps, { ...options, strength: 1 })
  const after = brightness(applyTone(plan, view, { top: 0, left: 0, width, height }))
  const wanted = Math.min(brightness(view), enough)
  if (after >= wanted || after <= 0) return maps
  // Luma is about the 2.2th root of the light.
  const lift = Math.min(2.2 * share * Math.log(wanted / after), mostLift)
  const gain = options.parts.gain
    ? enlarged(maps.gain, { width, height })
    : planeLike({ width, height }, () => 0)
  const lifted = planeLike(veil, (i) => gain.values[i]! + lift * Math.min(veil.values[i]! / meanVeil, 1))
  return { ...maps, gain: lifted }
}

/** The mean brightness as eyes judge it: of logs, so that a bright sky does not make up for dark ground. */
function brightness(image: Image): number {
  const { values } = luma(image)
  return Math.exp(mean(planeLike(image, (i) => Math.log(Math.max(values[i]!, 0) + 0.02)))) - 0.02
}

function mean({ values }: Plane): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}
