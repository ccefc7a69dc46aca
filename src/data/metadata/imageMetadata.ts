// What a file says about its picture beside the samples.

import type { Resolution } from '../formats/resolution.ts'
import type { PngText } from './pngText.ts'

/** Metadata of an image file; blocks are as the file holds them, apart from what restoring makes wrong. */
export interface ImageMetadata {
  /** ICC profile of the samples; without one, they are sRGB. */
  readonly icc?: Uint8Array | undefined
  /** Chunks of a PNG that state its colors in place of a profile: cICP, sRGB, gAMA and cHRM. */
  readonly pngColors?: Uint8Array | undefined
  /** EXIF as a TIFF structure, with upright orientation and no thumbnail. */
  readonly exif?: Uint8Array | undefined
  readonly xmp?: Uint8Array | undefined
  /** IPTC-IIM records: captions, keywords, credits. */
  readonly iptc?: Uint8Array | undefined
  /** Texts of a PNG, such as prompts of a generated image, and the comment of a JPEG. */
  readonly texts?: readonly PngText[] | undefined
  readonly resolution?: Resolution | undefined
}
