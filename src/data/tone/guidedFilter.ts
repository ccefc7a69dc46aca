// Fast guided filter (He and Sun, arXiv:1505.00996): smooths a small map but keeps the edges of the
// picture. It is computed as a linear function of the picture's luma at the size of the map; the
// coefficients are then enlarged, so tiles need no overlap.

import { boxMean, type Plane, planeLike } from './planes.ts'

/** A map as slope · luma + offset, both of the size of the view. */
export interface GuidedMap {
  readonly slope: Plane
  readonly offset: Plane
}

export interface GuidedFilterOptions {
  readonly radius: number
  /** Variance of the luma below which the map is averaged rather than follow it. */
  readonly softness: number
}

/** Computes the coefficients of a map guided by the luma of the view. A map of zeros gives zeros exactly. */
export function guidedMap(guide: Plane, map: Plane, { radius, softness }: GuidedFilterOptions): GuidedMap {
  const mean = (value: (i: number) => number) => boxMean(planeLike(guide, value), radius).values
  const g = guide.values
  const m = map.values
  const meanGuide = boxMean(guide, radius).values
  const meanMap = boxMean(map, radius).values
  const meanProduct = mean((i) => g[i]! * m[i]!)
  const meanSquare = mean((i) => g[i]! * g[i]!)
  const slope = planeLike(guide, (i) => {
    const variance = Math.max(meanSquare[i]! - meanGuide[i]! * meanGuide[i]!, 0)
    return (meanProduct[i]! - meanGuide[i]! * meanMap[i]!) / (variance + softness)
  })
  const offset = planeLike(guide, (i) => meanMap[i]! - slope.values[i]! * meanGuide[i]!)
  return { slope: boxMean(slope, radius), offset: boxMean(offset, radius) }
}
