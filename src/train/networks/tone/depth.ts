// Fields of depth for haze, guessed from a photo: planes, fractal drifts, the photo's own edges, a near
// object in clear air, and the sky.

import type { Random } from '../../../core/random.ts'
import type { Image } from '../../../data/image.ts'
import { luma } from '../../../data/tone/features.ts'
import { guidedMap } from '../../../data/tone/guidedFilter.ts'
import { type Plane, planeLike } from '../../../data/tone/planes.ts'
import { guessDepth } from '../../../degrade/haze.ts'
import { between, blurField, noiseField, smoothstep } from '../../../degrade/numerics/fields.ts'

/** Depth 0 (near) .. 1 (far) of a photo [h w]. */
export function drawDepth(photo: Image, random: Random): Plane {
  const kind = random.uniform()
  if (kind < 0.35) return withNearObject(photo, guessDepth(photo, random.fork(1)), random.fork(2))
  const raw = kind < 0.9 ? ground(photo, random) : planeLike(photo, () => 0.5)
  const drift = noiseField(photo.width, photo.height, photo.width / between(random, 2, 12), 4, random).values
  const strength = between(random, 0, 0.25)
  const side = between(random, -0.2, 0.2)
  const uneven = planeLike(photo, (i) => {
    return raw.values[i]! + strength * drift[i]! + side * ((i % photo.width) / photo.width - 0.5)
  })
  return withNearObject(photo, normalized(alongEdges(photo, uneven, 10)), random.fork(2))
}

/** A plane below a horizon, or one that rises. */
function ground({ width, height }: Image, random: Random): Plane {
  const horizon = between(random, 0.05, 0.6)
  const power = between(random, 0.7, 2.5)
  return planeLike({ width, height }, (i) => {
    const below = Math.max((Math.floor(i / width) + 0.5) / height - horizon, 0) / (1 - horizon)
    return Math.max(1 - below, 0) ** power
  })
}

/** A map that follows the edges of a photo. */
export function alongEdges(photo: Image, map: Plane, radius: number): Plane {
  const guide = luma(photo)
  const { slope, offset } = guidedMap(guide, map, { radius, softness: 1e-3 })
  return planeLike(guide, (i) => slope.values[i]! * guide.values[i]! + offset.values[i]!)
}

function normalized(plane: Plane): Plane {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const value of plane.values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const range = high - low
  return range < 0.05
    ? planeLike(plane, (i) => Math.min(Math.max(plane.values[i]!, 0), 1))
    : planeLike(plane, (i) => (plane.values[i]! - low) / range)
}

/**
 * In a third of the photos, something near that no haze reaches: one side of a brightness, in an ellipse
 * that stands in the lower part.
 */
function withNearObject(photo: Image, depth: Plane, random: Random): Plane {
  if (random.uniform() > 0.35) return depth
  const { width, height } = photo
  const brightness = blurField(luma(photo), width / 120).values
  const sorted = brightness.slice().sort()
  const level = sorted[Math.floor(between(random, 0.2, 0.8) * sorted.length)]!
  const isBrighter = random.uniform() < 0.5 ? 1 : -1
  const x0 = random.uniform()
  const y0 = between(random, 0.35, 1.05)
  const rx = between(random, 0.12, 0.45)
  const ry = between(random, 0.15, 0.5)
  const edge = between(random, 0.02, 0.1)
  const object = planeLike(photo, (i) => {
    const x = ((i % width) / width - x0) / rx
    const y = (Math.floor(i / width) / height - y0) / ry
    const inside = smoothstep(1.15, 0.75, x * x + y * y)
    return inside * smoothstep(-edge, edge, isBrighter * (brightness[i]! - level))
  })
  const mask = alongEdges(photo, object, 5).values
  return planeLike(depth, (i) => depth.values[i]! * (1 - Math.min(Math.max(mask[i]!, 0), 1)))
}
