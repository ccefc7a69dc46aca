// Finds the color profile of a file: embedded, or built from what the file states in another way.

import { concat } from '../../core/bytes.ts'
import { profileOfPoints, srgbPrimaries } from './codingPoints.ts'
import { isSrgbCurve } from './curves.ts'
import { heifColors } from './heifColors.ts'
import { type IccProfile, readProfile } from './iccProfile.ts'
import { grayProfile, rgbProfile } from './matrixProfile.ts'
import { type ColorChunks, colorChunksOf, profileInChunk, profileOfChunks } from './pngColors.ts'

/** Colors of a file. */
export interface FileColors {
  /** Color channels: 1 for gray. */
  readonly channels: 1 | 3
  /** Valid profile of the samples; undefined for sRGB. */
  readonly icc: Uint8Array | undefined
  /** Chunks of a PNG that `icc` was built from, to be written back to PNG in its place. */
  readonly pngColors: Uint8Array | undefined
  /** What was left out or converted, as sentences. */
  readonly notes: readonly string[]
}

/** Whether an encoder embeds a profile unchanged. */
export type IsEmbeddable = (icc: Uint8Array, channels: 1 | 3) => Promise<boolean>

const always: IsEmbeddable = async () => true

/** What a decoder tells of a file, in the words of libvips. */
interface Header {
  /** Such as 'png', and 'heif' for HEIC and AVIF. */
  readonly format: string
  readonly icc?: Uint8Array | undefined
  /** Such as 'srgb', 'b-w', 'grey16' and 'cmyk'. */
  readonly space: string
  /** Whether EXIF states Adobe RGB, which counts where nothing else states colors. */
  readonly isAdobeRgb: boolean
  /** Whether encoders embed a profile unchanged. @default all do */
  readonly isEmbeddable?: IsEmbeddable | undefined
}

/**
 * Finds the profile of a file.
 * @param file its bytes, at least up to the pixels
 * @throws a plain Error for HDR and for colors that no profile describes
 */
export async function fileColors(
  file: Uint8Array,
  { format, icc, space, isAdobeRgb, isEmbeddable = always }: Header,
): Promise<FileColors> {
  const heif = format === 'heif' ? heifColors(file) : undefined
  const channels = space === 'b-w' || space === 'grey16' || heif?.isMonochrome ? 1 : 3
  const none = { channels, icc: undefined, pngColors: undefined, notes: [] } as const
  // libvips has applied the profile.
  if (space === 'cmyk') return { ...none, notes: ['CMYK was converted to sRGB'] }
  const chunks: ColorChunks = format === 'png' ? colorChunksOf(file) : new Map()
  const embedded = chunks.has('cICP')
    ? undefined
    : await embeddedProfile(icc, chunks, { channels, isEmbeddable })
  if (embedded && !('fault' in embedded)) return { ...none, icc: embedded.icc }
  const isUnstated = !embedded && !heif?.points && chunks.size === 0 && channels === 3
  const built =
    isAdobeRgb && isUnstated
      ? adobeRgb()
      : heif?.points
        ? profileOfPoints(heif.points)
        : profileOfChunks(chunks)
  const own = built && (await usableProfile(built, channels, isEmbeddable))
  const pngColors = concat([...chunks].flatMap(([type, chunk]) => (type === 'iCCP' ? [] : [chunk])))
  return {
    channels,
    icc: own && 'icc' in own ? own.icc : undefined,
    pngColors: pngColors.length > 0 ? pngColors : undefined,
    notes: embedded ? [`its color profile cannot be used and was left out (${embedded.fault})`] : [],
  }
}

/** Adobe RGB (1998), sections 4.3.1 and 4.3.4. */
function adobeRgb(): Uint8Array | undefined {
  const chromaticities = { ...srgbPrimaries, green: [0.21, 0.71] } as const
  return rgbProfile('Adobe RGB', chromaticities, [563 / 256])
}

/** The embedded profile. */
async function embeddedProfile(
  icc: Uint8Array | undefined,
  chunks: ColorChunks,
  { channels, isEmbeddable }: { readonly channels: 1 | 3; readonly isEmbeddable: IsEmbeddable },
): Promise<Usable | undefined> {
  const chunk = chunks.get('iCCP')
  const found = icc ?? (chunk && profileInChunk(chunk))
  if (found) return usableProfile(found, channels, isEmbeddable)
  return chunk && { fault: 'damaged' }
}

export type Usable = { readonly icc: Uint8Array | undefined } | { readonly fault: string }

/** Returns a profile as it applies to samples of 1 or 3 channels, or why it does not. */
export async function usableProfile(
  icc: Uint8Array,
  channels: 1 | 3,
  isEmbeddable: IsEmbeddable = always,
): Promise<Usable> {
  const profile = readProfile(icc)
  if ('fault' in profile) return profile
  if (profile.channels !== channels)
    return channels === 1 ? grayOf(profile) : { fault: 'made for gray samples' }
  return (await isEmbeddable(profile.bytes, channels)) ? { icc: profile.bytes } : { fault: 'damaged' }
}

/** The profile of the grays of an RGB profile. */
function grayOf({ curves, matrix, tags }: IccProfile): Usable {
  const [curve] = curves ?? []
  if (!matrix || !curve) return { fault: 'made for RGB samples' }
  return { icc: isSrgbCurve(curve) ? undefined : grayProfile('Gray', tags.get('rTRC')!) }
}
