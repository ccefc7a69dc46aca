// DA-CLIP embeddings of a whole photo, shared by all its tiles and steps.

import type { NamedData, RunOptions } from '../../core/session.ts'
import { type BytePlanes, clipBytes, toBytes } from '../../data/clip/clipImage.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import type { LoadedGuide } from '../session/networkSessions.ts'

/** Pixels to read at a time, so that the whole photo is never in memory as floats. */
const bandPixels = 2 ** 20

/** Embeds a photo: `content` and `degradation` [1 d]. @throws TypeError for a guide of another kind */
export function embedPhoto(
  { session, guidance }: LoadedGuide,
  photo: ReadablePicture,
  run: RunOptions,
): Promise<NamedData> {
  if (guidance.kind !== 'embeddings') throw new TypeError(`expected a DA-CLIP, got ${guidance.kind}`)
  const image = clipBytes(bytesOf(photo), guidance.imageSide)
  return session.run({ image }, run)
}

function bytesOf({ width, height, read }: ReadablePicture): BytePlanes {
  const planes = Array.from({ length: 3 }, () => new Uint8Array(width * height))
  const rows = Math.max(1, Math.floor(bandPixels / width))
  for (let top = 0; top < height; top += rows) {
    const band = toBytes(read(top, 0, Math.min(rows, height - top), width))
    for (const [c, plane] of planes.entries()) plane.set(band.planes[c]!, top * width)
  }
  return { width, height, planes }
}
