// A picture as planes, to go through several steps without rounding, and back.

import { toneTables } from '../../data/colors/toneTables.ts'
import { type Image, type Pixels, peakOf } from '../../data/image.ts'
import { bandsOf, type PartedImage } from '../../data/parts.ts'
import { visibleColors } from './opacity.ts'
import type { DecodedPicture } from './pictureTypes.ts'
import { planeReader, sampleWriter } from './planeIO.ts'

/** Colors of a picture as networks expect them [c h w]; pixels that hardly show have those of visible ones. */
export function planesOfPicture({ pixels, metadata }: DecodedPicture): PartedImage {
  const { width, height, channels } = pixels
  const tones = toneTables(metadata?.icc, channels, peakOf(pixels.data))
  const visible = visibleColors(pixels)
  return { width, height, channels, reader: (planes, padded) => planeReader(visible, planes, padded, tones) }
}

/** Pixels of planes that are `scale` times as large as the picture they were made of, with its opacity. */
export function pictureOfPlanes(
  image: Image | PartedImage,
  { pixels, metadata, depth }: DecodedPicture,
  { scale, dithers }: { readonly scale: number; readonly dithers: boolean },
): Pixels {
  const is16Bit = depth > 8
  const tones = toneTables(metadata?.icc, pixels.channels, is16Bit ? 65535 : 255)
  const writer = sampleWriter(pixels, scale, { is16Bit, dithers, tones })
  for (const { top, band } of bandsOf(image)) writer.emit(top, band)
  return writer.pixels
}
