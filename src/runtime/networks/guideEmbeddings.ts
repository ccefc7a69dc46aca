// What a DA-CLIP sees in a photo, which all its tiles and steps are restored with.

import type { NamedData, RunOptions } from '../../core/session.ts'
import { type BytePlanes, clipBytes, toBytes } from '../../data/clip/clipImage.ts'
import type { Picture } from '../pictures/planeIO.ts'
import type { Guide } from '../session/networkSessions.ts'

/** Pixels that are read at a time: a photo is never whole in float. */
const bandPixels = 2 ** 20

/** `content` and `degradation` [1 d] of a whole photo. */
export function embedPhoto({ session, options }: Guide, photo: Picture, run: RunOptions): Promise<NamedData> {
  const image = clipBytes(bytesOf(photo), Number(Reflect.get(options, 'imageSide')))
  return session.run({ image }, run)
}

function bytesOf({ width, height, read }: Picture): BytePlanes {
  const planes = Array.from({ length: 3 }, () => new Uint8Array(width * height))
  const rows = Math.max(1, Math.floor(bandPixels / width))
  for (let top = 0; top < height; top += rows) {
    const band = toBytes(read(top, 0, Math.min(rows, height - top), width))
    for (const [c, plane] of planes.entries()) plane.set(band.planes[c] as Uint8Array, top * width)
  }
  return { width, height, planes }
}
