// Computes LPIPS with a session of its network.

import { float32Data, type TensorData, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import type { Image } from '../data/image.ts'
import { checkPair } from './levels.ts'

/**
 * Computes the LPIPS distance of two images in [0, 1], without clamping, rounding or cropping; gray is
 * repeated to RGB.
 */
export async function lpips(session: Session, reference: Image, output: Image): Promise<number> {
  checkPair('lpips', reference, output, 0)
  const { distance } = await session.run({ reference: signed(reference), output: signed(output) })
  if (distance) return viewAs(distance.bytes, Float32Array)[0]!
  throw new RestoreError(
    'numeric',
    'lpips: expected the network to output a distance, got none; check its weights',
  )
}

/** Converts an image from [0, 1] to a tensor [1 3 h w] in [-1, 1]. */
export function signed({ width, height, channels, data }: Image): TensorData {
  const plane = width * height
  const values = new Float32Array(3 * plane)
  for (let c = 0; c < 3; c++) {
    const from = Math.min(c, channels - 1) * plane
    for (let i = 0; i < plane; i++) values[c * plane + i] = 2 * data[from + i]! - 1
  }
  return float32Data(values, [1, 3, height, width])
}
