// Colors that a PNG states in chunks of its own: PNG (third edition), sections 4.3 and 11.3.2.

import { viewOf } from '../../core/data.ts'
import { inflate } from '../formats/inflate.ts'
import { headChunks } from '../formats/png.ts'
import { profileOfPoints, srgbCurve, srgbPrimaries } from './codingPoints.ts'
import { type Chromaticities, type CurveParameters, rgbProfile } from './matrixProfile.ts'

/** Chunks of a PNG that state its colors, by type, each with length, type and checksum. */
export type ColorChunks = ReadonlyMap<string, Uint8Array>

const types = ['cICP', 'iCCP', 'sRGB', 'gAMA', 'cHRM']

/** Collects the color chunks from the beginning of a PNG, which ends anywhere after them. */
export function colorChunksOf(png: Uint8Array): ColorChunks {
  const chunks = new Map<string, Uint8Array>()
  for (const { type, whole } of headChunks(png))
    if (types.includes(type) && !chunks.has(type)) chunks.set(type, whole)
  return chunks
}

/**
 * Builds the profile that the chunks other than iCCP stand for; undefined for sRGB.
 * @throws a plain Error for HDR and for colors that no profile describes
 */
export function profileOfChunks(chunks: ColorChunks): Uint8Array | undefined {
  const points = chunks.get('cICP')
  if (points) {
    const isNarrow = points[11] === 0
    if (isNarrow) throw new Error('an image of narrow range (cICP); convert it to full range first')
    return profileOfPoints({ primaries: points[8]!, transfer: points[9]! })
  }
  if (chunks.has('sRGB')) return undefined
  const gamma = numbersOf(chunks.get('gAMA'), 1)?.[0]
  const chromaticities = chromaticitiesOf(chunks.get('cHRM'))
  if (!gamma && !chromaticities) return undefined
  const curve: CurveParameters = gamma ? [1 / gamma] : srgbCurve
  return rgbProfile('PNG gAMA and cHRM', chromaticities ?? srgbPrimaries, curve)
}

/** Reads the profile of an iCCP chunk, which libpng withholds if it does not fit; undefined if it is damaged. */
export function profileInChunk(chunk: Uint8Array): Uint8Array | undefined {
  const body = chunk.subarray(8, -4)
  try {
    return inflate(body.subarray(body.indexOf(0) + 2))
  } catch {
    return undefined
  }
}

function chromaticitiesOf(chunk: Uint8Array | undefined): Chromaticities | undefined {
  const values = numbersOf(chunk, 8)
  if (!values) return undefined
  const point = (i: number) => [values[i]!, values[i + 1]!] as const
  return { white: point(0), red: point(2), green: point(4), blue: point(6) }
}

/** Numbers in units of 1/100000; undefined if the chunk is missing or has another size. */
function numbersOf(chunk: Uint8Array | undefined, count: number): readonly number[] | undefined {
  if (chunk?.length !== 12 + 4 * count) return undefined
  const view = viewOf(chunk)
  return Array.from({ length: count }, (_, i) => view.getUint32(8 + 4 * i) / 100_000)
}

/** Inserts chunks after the header of a PNG. */
export function insertChunks(png: Uint8Array, chunks: Uint8Array): Uint8Array {
  const headerEnd = 33
  const whole = new Uint8Array(png.length + chunks.length)
  whole.set(png.subarray(0, headerEnd))
  whole.set(chunks, headerEnd)
  whole.set(png.subarray(headerEnd), headerEnd + chunks.length)
  return whole
}
