// Blends a result with its input where blocks failed a check, without seams.

import type { Image } from '../../data/image.ts'
import type { CheckReport } from './checkBlocks.ts'
import { blockPx } from './limits.ts'

/** The result [c h w], but its input in failed blocks; their neighbors blend one into the other. */
export function fadeBack(before: Image, after: Image, report: CheckReport): Image {
  if (report.share === 0) return after
  const { width, height, channels } = after
  const weights = keptOf(report)
  const data = new Float32Array(after.data.length)
  const across = positionsOf(width, report.columns)
  const down = positionsOf(height, report.rows)
  for (let y = 0; y < height; y++) {
    const { low, high, share } = down[y]!
    for (let x = 0; x < width; x++) {
      const column = across[x]!
      const at = (row: number) => {
        const [a, b] = [
          weights[row * report.columns + column.low]!,
          weights[row * report.columns + column.high]!,
        ]
        return a + column.share * (b - a)
      }
      const kept = at(low) + share * (at(high) - at(low))
      for (let c = 0; c < channels; c++) {
        const i = (c * height + y) * width + x
        // Of a failed block, not even what is not a number stays.
        data[i] = kept === 0 ? before.data[i]! : before.data[i]! + kept * (after.data[i]! - before.data[i]!)
      }
    }
  }
  return { ...after, data }
}

/** Share of the result at the center of each block: none beside a failed one, so that all of that is faded. */
function keptOf({ rows, columns, failed }: CheckReport): Float32Array {
  const kept = new Float32Array(rows * columns)
  for (let i = 0; i < kept.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns]
    let isWhole = true
    for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, rows - 1); y++)
      for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, columns - 1); x++)
        if (failed[y * columns + x] === 1) isWhole = false
    kept[i] = isWhole ? 1 : 0
  }
  return kept
}

interface Position {
  readonly low: number
  readonly high: number
  readonly share: number
}

/** The centers of blocks before and after each pixel of a line, and how far it is between them. */
function positionsOf(length: number, count: number): readonly Position[] {
  return Array.from({ length }, (_, i) => {
    const at = Math.min(Math.max((i + 0.5) / blockPx - 0.5, 0), count - 1)
    const low = Math.floor(at)
    return { low, high: Math.min(low + 1, count - 1), share: at - low }
  })
}
