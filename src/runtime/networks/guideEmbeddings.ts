// DA-CLIP embeddings of a whole photo, shared by all its tiles and steps.

import { float32Data } from '../../core/data.ts'
import type { NamedData, RunOptions } from '../../core/session.ts'
import { type BytePlanes, clipBytes, toBytes } from '../../data/clip/clipImage.ts'
import { type Finding, rank, rowsOf } from '../../models/daclip/wordRanking.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import type { GuideWords, LoadedGuide } from '../session/networkSessions.ts'

/** Pixels to read at a time, so that the whole photo is never in memory as floats. */
const bandPixels = 2 ** 20

/** What a guide says about a photo. */
export interface GuideAnswer {
  readonly embeddings: NamedData
  /** How likely each word is; undefined where the guide knows none. */
  readonly seen?: readonly Finding[] | undefined
}

/** Asks a guide about a photo; words that the caller named replace what it sees. */
export async function askGuide(
  guide: LoadedGuide,
  photo: ReadablePicture,
  run: RunOptions,
): Promise<GuideAnswer> {
  const embeddings = await embedPhoto(guide, photo, run)
  const { words } = guide
  if (!words) return { embeddings }
  const [features] = rowsOf(embeddings.degradation)
  const seen = rank([features!], words)
  if (words.told.length === 0) return { embeddings, seen }
  const degradation = float32Data(toldFeatures(features!, words), [1, features!.length])
  return { embeddings: { ...embeddings, degradation }, seen }
}

/** The mean direction of the words that were told, as long as what the guide sees. */
function toldFeatures(seen: Float32Array, { texts, told }: GuideWords): Float32Array {
  const sum = new Float32Array(seen.length)
  for (const word of told) {
    const length = Math.hypot(...texts[word]!)
    for (const [i, value] of texts[word]!.entries()) sum[i] = sum[i]! + value / length
  }
  const factor = Math.hypot(...seen) / Math.hypot(...sum)
  return sum.map((value) => factor * value)
}

/** Embeds a photo: `content` and `degradation` [1 d]. @throws TypeError for a guide of another kind */
function embedPhoto(
  { session, guidance }: LoadedGuide,
  photo: ReadablePicture,
  run: RunOptions,
): Promise<NamedData> {
  if (guidance.kind !== 'embeddings') throw new TypeError(`expected a DA-CLIP, got ${guidance.kind}`)
  const image = clipBytes(bytesOf(photo), guidance.imageSize)
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
