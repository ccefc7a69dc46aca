// Blends a result with its input where blocks failed a check, without seams.

import type { Image } from '../../data/image.ts'
import { type PartedImage, partOf } from '../../data/parts.ts'
import type { CheckReport } from './checkBlocks.ts'
import { blockPx } from './limits.ts'

/**
 * Replaces a result [c h w] by its input in failed blocks; their neighbors blend one into the other. It is done in
 * place, since a large picture has no room for a copy.
 */
export function fadeBack(before: Image | PartedImage, after: Image, report: CheckReport): void {
  if (report.share === 0) return
  const { width, height, channels, data } = after
  const weights = keptOf(report)
  const across = positionsOf(width, report.columns)
  const down = positionsOf(height, report.rows)
  for (let y = 0; y < height; y++) {
    const { low, high, share } = down[y]!
    const { data: input } = partOf(before, y, 0, 1, width)
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
        const own = input[c * width + x]!
        data[i] = kept === 0 ? own : own + kept * (data[i]! - own)
      }
    }
  }
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
