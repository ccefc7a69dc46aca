// Writes a result that was restored elsewhere, such as on a server, with other settings.

import { srgbTransform } from '../../data/colors/srgbTransform.ts'
import { blendPixels } from '../../runtime/pictures/resample.ts'
import { convertByBrowser } from './convertByBrowser.ts'
import { readPicture } from './readPicture.ts'
import { type EncodeOptions, writePicture } from './writePicture.ts'

/** Options of {@link rewrite}. */
export interface RewriteOptions extends EncodeOptions {
  /** The input of the result, for a strength below 1. */
  readonly input?: Blob | undefined
  /** Share of the result, 0..1; the rest is the input. @default 1 */
  readonly strength?: number | undefined
}

/**
 * Encodes a restored file again, blended with its input.
 * @throws RestoreError 'input' for a file that cannot be read or is of another picture, 'usage', 'output'
 */
export async function rewrite(
  file: Blob,
  { input, strength = 1, ...options }: RewriteOptions,
): Promise<Blob> {
  const { pixels, metadata } = await readPicture(file, {})
  const isBlended = input !== undefined && strength < 1
  const blended = isBlended ? blendPixels(pixels, (await readPicture(input, {})).pixels, strength) : pixels
  const toSrgb = await srgbTransform(metadata?.icc, convertByBrowser)
  return writePicture({ pixels: blended, metadata, toSrgb }, options)
}
