import { describe, expect, test } from 'vitest'
import { crop, type Image } from '../../data/image.ts'
import { blendedAxis, restoreInTiles, type TileAxis, tileOffsets } from './tile.ts'
import { defaultOverlap, nextSmallerTile, planTiles, type TilePlanInput } from './tilePlan.ts'

const planInput: TilePlanInput = {
  width: 1000,
  height: 1000,
  scale: 1,
  budgetBytes: 6.05e9,
  size: { multipleOf: 8, minimum: 8 },
  memory: { fixedBytes: 1e9, bytesPerPixel: 5000 },
  tiling: { whole: 'preferred', tilePx: 512, overlapPx: 64, batch: 1 },
}

function picture(width: number, height: number): Image {
  const data = Float32Array.from({ length: 3 * width * height }, (_, i) => Math.abs(Math.sin(i * 12.9898)))
  return { width, height, channels: 3, data }
}

/** Restores a picture in tiles with a function of a tile. */
async function inTiles(
  image: Image,
  axes: { rows: TileAxis; columns: TileAxis },
  run: (tile: Image) => Image,
  { scale = 1, batch = 1 } = {},
) {
  const width = image.width * scale
  const height = image.height * scale
  const data = new Float32Array(3 * width * height)
  const tops: number[] = []
  await restoreInTiles({
    ...axes,
    scale,
    batch,
    read: (top, left, h, w) => crop(image, top, left, h, w),
    run: async (tiles) => tiles.map(run),
    emit: (top, rows) => {
      tops.push(top)
      for (let c = 0; c < 3; c++) {
        const plane = rows.data.subarray(c * rows.height * width, (c + 1) * rows.height * width)
        data.set(plane, (c * height + top) * width)
      }
    },
  })
  return { data, tops }
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0)
}

describe('blended tiles', () => {
  test('cover a line, evenly spaced, with at least the overlap', () => {
    expect(blendedAxis(100, { tilePx: 40, overlapPx: 10 }, { scale: 1 }).starts).toEqual([0, 30, 60])
    expect(blendedAxis(40, { tilePx: 40, overlapPx: 10 }, { scale: 1 }).starts).toEqual([0])
    for (let length = 40; length < 300; length++) {
      const { starts } = blendedAxis(length, { tilePx: 40, overlapPx: 13 }, { scale: 1 })
      expect([starts[0], starts.at(-1)]).toEqual([0, length - 40])
      for (const [i, start] of starts.entries())
        if (i > 0) expect(start - (starts[i - 1] ?? 0)).toBeLessThanOrEqual(27)
    }
  })

  test('share at least the overlap where the length is no multiple of the grid', () => {
    for (const unit of [8, 64]) {
      for (let length = 192; length < 192 + 5 * unit; length++) {
        const { starts } = blendedAxis(length, { tilePx: 192, overlapPx: 64 }, { scale: 1, unit })
        expect(starts.at(-1)).toBe(length - 192)
        expect(starts.slice(0, -1).every((start) => start % unit === 0)).toBe(true)
        const gaps = starts.slice(1).map((start, i) => start - (starts[i] ?? 0))
        for (const gap of gaps) expect([gap > 0, gap <= 128]).toEqual([true, true])
      }
    }
  })

  test('have almost no weight at inner borders and full weight at outer ones', () => {
    const [first, second] = blendedAxis(96, { tilePx: 64, overlapPx: 32 }, { scale: 2 }).weights
    expect([first?.[0], second?.[127]]).toEqual([1, 1])
    expect(first?.[127]).toBeLessThan(1e-3)
    expect(second?.[0]).toBeLessThan(1e-3)
  })

  test.each([
    [1, 1],
    [1, 3],
    [2, 2],
  ])('reproduce the picture at scale %i in batches of %i', async (scale, batch) => {
    const image = picture(70, 53)
    const axes = {
      rows: blendedAxis(53, { tilePx: 24, overlapPx: 8 }, { scale }),
      columns: blendedAxis(70, { tilePx: 24, overlapPx: 8 }, { scale }),
    }
    const enlarge = (tile: Image): Image => {
      const width = tile.width * scale
      const height = tile.height * scale
      const data = Float32Array.from({ length: 3 * width * height }, (_, i) => {
        const c = Math.floor(i / (width * height))
        const y = Math.floor(i / width) % height
        const x = i % width
        return tile.data[
          (c * tile.height + Math.floor(y / scale)) * tile.width + Math.floor(x / scale)
        ] as number
      })
      return { width, height, channels: 3, data }
    }
    const { data, tops } = await inTiles(image, axes, enlarge, { scale, batch })
    expect(largestDifference(data, enlarge(image).data)).toBeLessThan(1e-6)
    expect(tops).toEqual(axes.rows.starts.map((start) => start * scale))
  })

  test('show no step where neighbors disagree', async () => {
    let count = 0
    const flat = (tile: Image): Image => {
      const level = count++ % 2
      return { ...tile, data: new Float32Array(tile.data.length).fill(level) }
    }
    const rows = blendedAxis(24, { tilePx: 24, overlapPx: 8 }, { scale: 1 })
    const { data } = await inTiles(
      picture(200, 24),
      { rows, columns: blendedAxis(200, { tilePx: 64, overlapPx: 32 }, { scale: 1 }) },
      flat,
    )
    const steps = Array.from(data.subarray(1, 200), (value, i) => Math.abs(value - data[i]!))
    expect(Math.max(...steps)).toBeLessThan(0.08)
    expect(Math.max(...data)).toBe(1)
  })
})

describe('the tile plan', () => {
  test('keeps a picture whole if it fits the memory budget, and tiles it otherwise', () => {
    expect(planTiles(planInput, {}).tilePx).toBeUndefined()
    const tiled = planTiles({ ...planInput, budgetBytes: 5.95e9 }, {})
    expect([tiled.tilePx, tiled.rows.tile, tiled.rows.starts.length]).toEqual([512, 376, 3])
  })

  test('shares little more than the overlap, and aligns tiles with the network’s grid', () => {
    for (const width of [1000, 1192, 3000, 4001]) {
      const { columns } = planTiles({ ...planInput, width, budgetBytes: 5.95e9 }, {})
      const { starts, tile, length } = columns
      expect([tile % 8, length % 8, ...starts.map((start) => start % 8)]).toEqual([
        0,
        0,
        ...starts.map(() => 0),
      ])
      const shared = starts.slice(1).map((start, i) => (starts[i] ?? 0) + tile - start)
      expect(Math.min(...shared)).toBeGreaterThanOrEqual(64)
      expect(Math.max(...shared)).toBeLessThan(64 + 16)
    }
    const { starts, tile } = planTiles({ ...planInput, width: 1000 }, { tile: 256, overlap: 13 }).columns
    expect(starts.slice(1).every((start, i) => (starts[i] ?? 0) + tile - start >= 13)).toBe(true)
  })

  test('aligns tiles with the grid of a network that pads its input itself, which it leaves to it for a whole picture', () => {
    const size = { multipleOf: 1, minimum: 1, padToMultiple: 8 }
    for (const width of [1000, 1001, 3003]) {
      for (const tile of [100, 128, 512]) {
        const { columns } = planTiles({ ...planInput, size, width }, { tile, overlap: 30 })
        const ends = [...columns.starts, columns.tile, columns.length]
        expect(ends.every((end) => end % 8 === 0)).toBe(true)
        expect(columns.length - width).toBeLessThan(8)
        expect(columns.starts.at(-1)! + columns.tile).toBe(columns.length)
      }
      const { rows } = planTiles({ ...planInput, size, width, height: 99 }, { tile: 128, overlap: 30 })
      expect([rows.starts, rows.tile]).toEqual([[0], 104])
      expect(planTiles({ ...planInput, size, width }, { tile: 'none' }).columns.length).toBe(width)
    }
  })

  test('tiles for a network that gains nothing from the whole picture', () => {
    const tiling = { ...planInput.tiling, whole: 'needless' } as const
    expect(planTiles({ ...planInput, tiling }, {}).tilePx).toBe(512)
    expect(planTiles({ ...planInput, tiling, width: 500, height: 100 }, {}).tilePx).toBeUndefined()
  })

  test('uses smaller tiles with less memory, in multiples, down to a minimum', () => {
    const sides = [2e9, 1.5e9, 1.1e9, 0.5e9].map(
      (budgetBytes) => planTiles({ ...planInput, budgetBytes }, {}).tilePx,
    )
    expect(sides).toEqual([440, 312, 136, 64])
  })

  test('respects the largest side that fit, and halves it until tiles cannot get smaller', () => {
    const whole = planTiles(planInput, {})
    expect(nextSmallerTile(whole, 8)).toBe(496)
    expect(planTiles({ ...planInput, maxTilePx: 496 }, {}).tilePx).toBe(496)
    const long = { ...planInput, width: 4000, height: 900, budgetBytes: 1e12 }
    const next = nextSmallerTile(planTiles(long, {}), 8)
    expect([next, planTiles({ ...long, maxTilePx: next }, {}).tilePx]).toEqual([2000, 512])
    const small = planTiles({ ...planInput, maxTilePx: 100 }, {})
    expect([small.tilePx, nextSmallerTile(small, 8)]).toEqual([96, undefined])
  })

  test('pads to multiples, and makes no tile larger than the picture', () => {
    const { rows, columns } = planTiles({ ...planInput, width: 1001, height: 20 }, { tile: 64, overlap: 16 })
    expect([rows.length, rows.tile, columns.length, columns.tile]).toEqual([24, 24, 1008, 64])
  })

  test('uses the window of a network with a fixed side', () => {
    const { rows, batch } = planTiles(
      {
        ...planInput,
        width: 30,
        size: { ...planInput.size, fixedTile: [48, 48] as const },
        scale: 2,
        tiling: { ...planInput.tiling, overlapPx: 16, batch: 8 },
      },
      {},
    )
    expect([rows.tile, rows.weights[0]?.length, batch]).toEqual([48, 96, 8])
    expect(() =>
      planTiles({ ...planInput, size: { ...planInput.size, fixedTile: [48, 48] as const } }, { tile: 64 }),
    ).toThrow('tile: expected 48, the only')
  })

  test.each([
    [{ tile: 20 }, 'tile: expected a multiple of 8 pixels, got 20'],
    [{ tile: 64, overlap: 64 }, 'from 0 to below the tile 64, got 64'],
    [{ tile: 64, overlap: 1.5 }, 'got 1.5'],
  ])('rejects %j', (request, message) => {
    expect(() => planTiles(planInput, request)).toThrow(message)
  })

  test('the default overlap is a quarter of the tile in steps of 8, and below the tile', () => {
    expect([8, 16, 24, 32, 64, 96, 128, 512].map((side) => defaultOverlap(side))).toEqual([
      0, 8, 8, 8, 16, 24, 32, 32,
    ])
    for (let side = 1; side < 600; side++) expect(defaultOverlap(side, 64)).toBeLessThan(side)
  })
})

test('official tiles start every tile − overlap pixels, and the last ends at the edge', () => {
  expect(tileOffsets(48, 16, 4)).toEqual([0, 12, 24, 32])
  expect(tileOffsets(16, 16, 4)).toEqual([0])
})
