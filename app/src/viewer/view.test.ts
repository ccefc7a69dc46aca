import { describe, expect, test } from 'vitest'
import { bounded, fitView, toPicture, toViewport, visibleCrop, zoomedAt } from './view.ts'

const picture = { width: 4000, height: 3000 }
const viewport = { width: 800, height: 400 }

describe('the view of a picture', () => {
  test('shows the whole picture, and small ones at full size', () => {
    expect(fitView(picture, viewport)).toEqual({ zoom: 400 / 3000, center: { x: 2000, y: 1500 } })
    expect(fitView({ width: 100, height: 50 }, viewport).zoom).toBe(1)
  })

  test('zooms with the point under the pointer in place', () => {
    const at = { x: 650, y: 90 }
    const before = fitView(picture, viewport)
    const after = zoomedAt(before, 3, at, viewport)
    expect(after.zoom).toBeCloseTo(0.4)
    const [a, b] = [toPicture(before, at, viewport), toPicture(after, at, viewport)]
    expect(b.x).toBeCloseTo(a.x)
    expect(b.y).toBeCloseTo(a.y)
    expect(toViewport(after, b, viewport).x).toBeCloseTo(650)
  })

  test('never loses the picture', () => {
    const far = { zoom: 1e9, center: { x: -5e6, y: 9e6 } }
    expect(bounded(far, picture, viewport)).toEqual({ zoom: 32, center: { x: 0, y: 3000 } })
  })

  test('the visible part is inside the picture and no larger than its limit', () => {
    const crop = visibleCrop({ zoom: 1, center: { x: 20, y: 2990 } }, picture, viewport, 384)
    expect(crop).toEqual({ x: 18, y: 2790, width: 384, height: 210 })
    expect(visibleCrop(fitView(picture, viewport), picture, viewport, 384)).toEqual({
      ...{ x: 1808, y: 1308, width: 384, height: 384 },
    })
    const small = { width: 30, height: 20 }
    expect(visibleCrop(fitView(small, viewport), small, viewport, 384)).toEqual({ x: 0, y: 0, ...small })
  })
})
