import { describe, expect, test } from 'vitest'
import { counterRandom } from '../core/random.ts'
import type { Pixels } from './image.ts'
import { cutPatch, type Dihedral, drawPlace, scalePlace } from './patches.ts'

function pixelsOf(width: number, height: number, channels = 1): Pixels {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => i)
  return { width, height, channels, hasAlpha: false, data }
}

/** Rows of one channel as integer levels. */
function rowsOf({ data, width }: { data: Float32Array; width: number }, channel = 0): number[][] {
  return Array.from({ length: width }, (_, y) => {
    const start = (channel * width + y) * width
    return [...data.subarray(start, start + width)].map((value) => Math.round(value * 255))
  })
}

const flipud = (rows: number[][]) => [...rows].reverse()
/** numpy.rot90: 90 degrees counterclockwise. */
const rot90 = (rows: number[][]) => rows.map((_, y) => rows.map((row) => row[rows.length - 1 - y]!))

describe('a patch', () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7])('of mode %i matches NumPy’s rot90 and flipud', (mode) => {
    let expected = rowsOf(cutPatch(pixelsOf(5, 4), { top: 1, left: 1, sidePx: 3, mode: 0 }))
    expect(expected[0]).toEqual([6, 7, 8])
    for (let turns = 0; turns < Math.floor(mode / 2); turns++) expected = rot90(expected)
    if (mode % 2 === 1) expected = flipud(expected)
    const patch = cutPatch(pixelsOf(5, 4), { top: 1, left: 1, sidePx: 3, mode: mode as Dihedral })
    expect(rowsOf(patch)).toEqual(expected)
  })

  test('of a smaller image is mirrored beyond the right and bottom edges, repeatedly if needed', () => {
    const patch = cutPatch(pixelsOf(3, 1), { top: 0, left: 0, sidePx: 8, mode: 0 })
    // cv2.copyMakeBorder(numpy.uint8([[0, 1, 2]]), 0, 7, 0, 5, cv2.BORDER_REFLECT)
    expect(rowsOf(patch)).toEqual(Array(8).fill([0, 1, 2, 2, 1, 0, 0, 1]))
  })

  test('has a plane per color channel and no alpha', () => {
    const color = { ...pixelsOf(4, 4, 4), channels: 3, hasAlpha: true }
    const patch = cutPatch(color, { top: 2, left: 1, sidePx: 2, mode: 0 })
    expect(patch.channels).toBe(3)
    expect([0, 1, 2].map((c) => rowsOf(patch, c)[0])).toEqual([
      [36, 40],
      [37, 41],
      [38, 42],
    ])
  })

  test('of gray expands to three channels; color is not reduced to one', () => {
    const patch = cutPatch(pixelsOf(4, 4), { top: 0, left: 0, sidePx: 2, mode: 0 }, 3)
    expect([0, 1, 2].map((c) => rowsOf(patch, c))).toEqual(
      Array(3).fill([
        [0, 1],
        [4, 5],
      ]),
    )
    expect(() => cutPatch(pixelsOf(4, 4, 3), { top: 0, left: 0, sidePx: 2, mode: 0 }, 1)).toThrow(
      'patch: expected an image with 1 channel(s), got 3',
    )
  })

  test('of 16 bits maps 65535 to 1', () => {
    const deep = { width: 2, height: 1, channels: 1, hasAlpha: false, data: Uint16Array.of(65535, 13107) }
    const { data } = cutPatch(deep, { top: 0, left: 0, sidePx: 2, mode: 0 })
    expect([...data]).toEqual([1, Math.fround(0.2), 1, Math.fround(0.2)])
  })
})

describe('places', () => {
  test('cover every position and mode, and stay inside', () => {
    const random = counterRandom(3)
    const corners = new Set<string>()
    const modes = new Set<number>()
    for (let i = 0; i < 400; i++) {
      const { top, left, mode } = drawPlace({ width: 6, height: 5 }, 4, random)
      corners.add(`${top},${left}`)
      modes.add(mode)
    }
    expect([corners.size, modes.size]).toEqual([2 * 3, 8])
  })

  test('repeat for a seed, start at 0 in a smaller image, and can be upright', () => {
    const draw = () => drawPlace({ width: 90, height: 80 }, 32, counterRandom(5))
    expect(draw()).toEqual(draw())
    expect(drawPlace({ width: 3, height: 2 }, 4, counterRandom(1), { isUpright: true })).toEqual({
      top: 0,
      left: 0,
      sidePx: 4,
      mode: 0,
    })
  })

  test('scaled to a larger image show the same part', () => {
    const small = pixelsOf(4, 3)
    const large: Pixels = { ...pixelsOf(8, 6), data: new Uint8Array(48) }
    for (let i = 0; i < 48; i++) {
      large.data[i] = small.data[Math.floor(i / 16) * 4 + Math.floor((i % 8) / 2)]!
    }
    const place = { top: 1, left: 2, sidePx: 3, mode: 3 } as const
    const near = cutPatch(small, place)
    const far = cutPatch(large, scalePlace(place, 2))
    const every2nd = rowsOf(far).filter((_, y) => y % 2 === 0)
    expect(every2nd.map((row) => row.filter((_, x) => x % 2 === 0))).toEqual(rowsOf(near))
  })
})
