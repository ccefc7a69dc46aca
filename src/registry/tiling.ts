// How a picture is best cut for each network: pure data, safe in a browser.

import type { ModelId } from './networkSignatures.ts'

export interface Tiling {
  /**
   * 'preferred': what a pixel becomes depends on the whole picture, so that it is cut only for want of memory.
   * 'needless': a tile sees what the whole picture would, and small maps stay in the processor's caches.
   * 'costly': each pixel is compared with all others, so that a tile's share of the time grows with its size.
   */
  readonly whole: 'preferred' | 'needless' | 'costly'
  readonly tilePx: number
  readonly overlapPx: number
  /** Tiles in one run of the network. */
  readonly batch: number
}

/** For networks of which nothing is said below. */
const usual: Tiling = { whole: 'preferred', tilePx: 512, overlapPx: 64, batch: 1 }

const tilings: Readonly<Partial<Record<ModelId, Tiling>>> = {
  // Attention across channels sums over all pixels: tiles differ a little in tone, which a broad overlap hides.
  restormer: usual,
  // Measured: 60 dB to the whole picture, 62 dB with twice the overlap, which takes 12 % more time.
  light: { ...usual, whole: 'needless', tilePx: 576, overlapPx: 32 },
  // The side is the window of the network itself.
  ipt: { whole: 'preferred', tilePx: 48, overlapPx: 16, batch: 8 },
  dasr: { whole: 'needless', tilePx: 256, overlapPx: 32, batch: 1 },
}

/** Options of the network matter where they give it attention between all pixels. */
export function tilingOf(model: ModelId, options: object = {}): Tiling {
  const tiling = tilings[model] ?? usual
  const comparesAll =
    Reflect.get(options, 'usesContent') === true || Reflect.get(options, 'middleAttention') === 'full'
  return comparesAll ? { ...tiling, whole: 'costly' } : tiling
}
