// Code points of colors as video states them, in PNG's cICP and AVIF's nclx: ITU-T H.273 (07/2024), tables 2
// and 3.

import { type Chromaticities, type CurveParameters, rgbProfile } from './matrixProfile.ts'

/** Code points of primaries and transfer characteristics. */
export interface CodingPoints {
  readonly primaries: number
  readonly transfer: number
}

const d65 = [0.3127, 0.329] as const
const illuminantC = [0.31, 0.316] as const

/** sRGB's and BT.709's primaries. */
export const srgbPrimaries: Chromaticities = {
  red: [0.64, 0.33],
  green: [0.3, 0.6],
  blue: [0.15, 0.06],
  white: d65,
}

const ntsc: Chromaticities = { red: [0.63, 0.34], green: [0.31, 0.595], blue: [0.155, 0.07], white: d65 }
const p3 = { red: [0.68, 0.32], green: [0.265, 0.69], blue: [0.15, 0.06] } as const

const primariesOf: Readonly<Record<number, Chromaticities>> = {
  1: srgbPrimaries,
  4: { red: [0.67, 0.33], green: [0.21, 0.71], blue: [0.14, 0.08], white: illuminantC },
  5: { red: [0.64, 0.33], green: [0.29, 0.6], blue: [0.15, 0.06], white: d65 },
  6: ntsc,
  7: ntsc,
  8: { red: [0.681, 0.319], green: [0.243, 0.692], blue: [0.145, 0.049], white: illuminantC },
  9: { red: [0.708, 0.292], green: [0.17, 0.797], blue: [0.131, 0.046], white: d65 },
  11: { ...p3, white: [0.314, 0.351] },
  12: { ...p3, white: d65 },
  22: { red: [0.63, 0.34], green: [0.295, 0.605], blue: [0.155, 0.077], white: d65 },
}

/** sRGB's curve. */
export const srgbCurve: CurveParameters = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]

/** The inverse of α v^0.45 - (α - 1), with a slope in front of β. */
function powerCurve(alpha: number, slope: number, beta: number): CurveParameters {
  return [1 / 0.45, 1 / alpha, (alpha - 1) / alpha, 1 / slope, slope * beta]
}

const bt709 = powerCurve(1.09929682680944, 4.5, 0.018053968510807)

const curveOf: Readonly<Record<number, CurveParameters>> = {
  1: bt709,
  4: [2.2],
  5: [2.8],
  6: bt709,
  7: powerCurve(1.111572195921731, 4, 0.022821585529445),
  8: [1],
  13: srgbCurve,
  14: bt709,
  15: bt709,
}

const hdr: Readonly<Record<number, string>> = { 16: 'PQ', 18: 'HLG' }

/** Unspecified, or reserved values that some encoders write for it. */
const unspecified = [0, 2, 3]

/**
 * Builds the profile that code points stand for; undefined for sRGB, which unspecified ones are taken for.
 * @throws a plain Error for HDR and for colors that no profile describes
 */
export function profileOfPoints({ primaries, transfer }: CodingPoints): Uint8Array | undefined {
  const isHdr = hdr[transfer]
  if (isHdr)
    throw new Error(`an HDR image (${isHdr}), whose brightness would be flattened; convert it to SDR first`)
  const isDefault = [1, ...unspecified].includes(primaries) && [13, ...unspecified].includes(transfer)
  if (isDefault) return undefined
  const chromaticities = unspecified.includes(primaries) ? srgbPrimaries : primariesOf[primaries]
  const curve = unspecified.includes(transfer) ? srgbCurve : curveOf[transfer]
  const profile =
    chromaticities && curve && rgbProfile(`CICP ${primaries}/${transfer}`, chromaticities, curve)
  if (profile) return profile
  throw new Error(
    `colors with the code points ${primaries} (primaries) and ${transfer} (transfer), which are not supported; convert it to sRGB first`,
  )
}
