// The quality of a JPEG file by its quantization tables (ITU-T T.81, B.2.4.1): the quality of libjpeg whose
// table is nearest. Tables of other encoders give the quality that quantizes about as coarsely.

import { jpegLayout } from '../../data/formats/jpeg.ts'
import { zigzag } from '../../data/formats/jpegEncoder.ts'
import { lumaSteps } from '../../data/formats/jpegTransform.ts'

const tableMarker = 0xdb

/**
 * Quality 1..100 of a JPEG by its luma table, on the scale of libjpeg; undefined for bytes that are no JPEG
 * or have no such table.
 */
export function jpegFileQuality(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined
  const table = lumaTableOf(bytes)
  if (!table) return undefined
  let best = { quality: 1, error: Number.POSITIVE_INFINITY }
  for (let quality = 1; quality <= 100; quality++) {
    const steps = lumaSteps(quality)
    // Logarithms: twice as coarse is as far as half as coarse.
    const error = table.reduce((sum, step, i) => sum + Math.abs(Math.log(step / steps[i]!)), 0)
    if (error < best.error) best = { quality, error }
  }
  return best.quality
}

/** Table 0, row by row. */
function lumaTableOf(bytes: Uint8Array): readonly number[] | undefined {
  for (const { marker, body } of jpegLayout(bytes).segments) {
    if (marker !== tableMarker) continue
    for (let at = 0; at < body.length; ) {
      const bytesPerStep = body[at]! >> 4 === 0 ? 1 : 2
      const id = body[at]! & 15
      const start = at + 1
      at = start + 64 * bytesPerStep
      if (id !== 0 || at > body.length) continue
      const table = new Array<number>(64).fill(1)
      for (const [i, place] of zigzag.entries()) {
        const from = start + i * bytesPerStep
        table[place] = Math.max(bytesPerStep === 1 ? body[from]! : (body[from]! << 8) | body[from + 1]!, 1)
      }
      return table
    }
  }
  return undefined
}
