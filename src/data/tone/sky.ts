// Where the sky is: haze and sky look alike, and a sky must not turn dark for it.

import type { Image } from '../image.ts'
import { luma } from './features.ts'
import { boxMean, type Plane, planeLike } from './planes.ts'

/** Least luma of a sky. */
const dimmest = 0.35

/**
 * How much of each pixel of a view is sky, 0..1: bright, even, not green, and joined to the upper edge [h w].
 * @param mostSteps mean step between neighbors that is still even
 */
export function skyOf(view: Image, mostSteps: number): Plane {
  const { width, data } = view
  const pixels = data.length / 3
  const { values } = luma(view)
  const steps = planeLike(view, (i) => {
    const above = Math.abs(values[i]! - values[Math.max(i - width, 0)]!)
    return above + Math.abs(values[i]! - values[Math.max(i - 1, 0)]!)
  })
  const unevenness = boxMean(steps, 2).values
  const open = planeLike(view, () => 0)
  for (let i = 0; i < pixels; i++) {
    const isBlue = data[2 * pixels + i]! > data[pixels + i]! - 0.06
    const isLike = values[i]! > dimmest && unevenness[i]! < mostSteps && isBlue
    open.values[i] = isLike && (i < width || open.values[i - width] === 1) ? 1 : 0
  }
  return boxMean(boxMean(open, 1), 1)
}
