// Blends a result with its input on the page, so that a slider of strength needs no second restoration.

import { RestoreError } from '../../core/errors.ts'
import type { Rgba } from './nativeDecoder.ts'

/**
 * Blends two pictures of one size: `strength` (0..1) of the output, the rest of the input, as the option `strength` does
 * for one network.
 * @param out receives the result, for example the data of a canvas's ImageData
 * @throws RestoreError 'usage' for pictures of different sizes
 * @example
 * blend(input, result.toImageData(), 0.5, shown.data)
 */
export function blend(input: Rgba, output: Rgba, strength: number, out: Uint8ClampedArray): void {
  if (input.data.length !== output.data.length || out.length !== output.data.length)
    throw new RestoreError(
      'usage',
      `blend: expected pictures of one size, got ${input.width} × ${input.height} and ${output.width} × ${output.height}`,
    )
  const share = Math.round(Math.min(Math.max(strength, 0), 1) * 256)
  const [from, to] = [input.data, output.data]
  for (let i = 0; i < out.length; i++) out[i] = (from[i]! * (256 - share) + to[i]! * share + 128) >> 8
}
