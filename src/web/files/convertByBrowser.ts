// Converts colors by the tables of a profile with the browser's color engine.

import type { ConvertByTables } from '../../data/colors/srgbTransform.ts'
import { encodePng } from '../../data/formats/pngSamples.ts'
import { embedProfile } from '../../data/metadata/embedProfile.ts'
import { decodeOpaque } from './nativeDecoder.ts'

/** Converts samples to sRGB, in steps of 8 bits. */
export const convertByBrowser: ConvertByTables = async (data, { width, height }, icc) => {
  const png = await encodePng({ width, height, channels: 3, hasAlpha: false, data })
  const { data: rgba } = await decodeOpaque(new Blob([embedProfile(png, 'png', icc)]), 'default')
  return Uint16Array.from({ length: data.length }, (_, i) => rgba[4 * Math.floor(i / 3) + (i % 3)]! * 257)
}
