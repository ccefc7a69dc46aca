// The noise level of a whole photo, shared by all its tiles.

import { noiseLevel } from '../../auto/estimates/noiseLevel.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'

const windowPx = 128
const windowsPerSide = 6

/** Estimates the noise of a photo from windows spread over it; standard deviation, of 255. */
export function photoNoise(photo: ReadablePicture): number {
  const starts = (size: number) => {
    const count = Math.min(windowsPerSide, Math.ceil(size / windowPx))
    const length = Math.min(windowPx, size)
    const step = (size - length) / Math.max(count - 1, 1)
    return Array.from({ length: count }, (_, i) => Math.round(i * step))
  }
  const [height, width] = [Math.min(windowPx, photo.height), Math.min(windowPx, photo.width)]
  const windows = starts(photo.height).flatMap((top) =>
    starts(photo.width).map((left) => photo.read(top, left, height, width)),
  )
  return noiseLevel(windows)
}
