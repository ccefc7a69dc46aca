// All classical estimates of a photo together, in about 0.1 s a megapixel. They know nothing of what is shown, so
// each alone can be deceived; beside the inspecting network they confirm or doubt it.

import { grayWeights } from '../../data/color.ts'
import type { Image } from '../../data/image.ts'
import { bandsOf, type PartedImage, partOf } from '../../data/parts.ts'
import { viewPx } from '../../data/tone/features.ts'
import type { Plane } from '../../data/tone/planes.ts'
import { viewOf } from '../../data/tone/view.ts'
import { type Brightness, brightnessOf, type Veil, veilOf } from './brightness.ts'
import { type EdgeWidths, edgeWidths } from './edgeWidth.ts'
import { blockiness, type JpegTraces, jpegTraces } from './jpegTraces.ts'
import { noiseLevel } from './noiseLevel.ts'
import { type NoiseCurve, noiseCurve } from './sensorNoise.ts'

/** What classical estimators find in a photo. */
export interface Estimates {
  /** Standard deviation of the noise, of 255; noise that was demosaiced or scaled counts for less than half. */
  readonly noise255: number
  /** Of luma; undefined where brightness varies too little to tell. */
  readonly noiseCurve: NoiseCurve | undefined
  /** Quality of the JPEG file, 1..100, by its tables; undefined for other files. */
  readonly jpegFile: number | undefined
  /** Traces of JPEG in the pixels; undefined without. */
  readonly jpegTraces: JpegTraces | undefined
  /** How much more changes across borders of blocks than within them; 1 without blocks. */
  readonly blockiness: number
  /** Undefined where there are few edges. */
  readonly edges: EdgeWidths | undefined
  readonly brightness: Brightness
  readonly veil: Veil
}

const windowPx = 64
const windowsPerSide = 7

/** Windows spread over a photo. */
function windowsOf(photo: Image | PartedImage): readonly Image[] {
  const starts = (length: number) => {
    const size = Math.min(windowPx, length)
    const count = Math.min(windowsPerSide, Math.ceil(length / windowPx))
    return Array.from({ length: count }, (_, i) => Math.round(((length - size) * i) / Math.max(count - 1, 1)))
  }
  const [height, width] = [Math.min(windowPx, photo.height), Math.min(windowPx, photo.width)]
  return starts(photo.height).flatMap((top) =>
    starts(photo.width).map((left) => partOf(photo, top, left, height, width)),
  )
}

/** Luma by Rec. 601, which JPEG compresses. */
function lumaOf(photo: Image | PartedImage): Plane {
  const { width, height, channels } = photo
  const [red, green, blue] = grayWeights
  const values = new Float32Array(width * height)
  for (const { top, band } of bandsOf(photo)) {
    const { data } = band
    const pixels = band.height * width
    const own = values.subarray(top * width, top * width + pixels)
    if (channels === 1) own.set(data)
    else
      for (let i = 0; i < pixels; i++)
        own[i] = red * data[i]! + green * data[pixels + i]! + blue * data[2 * pixels + i]!
  }
  return { width, height, values }
}

/** Estimates the damage of a photo [1|3 h w] in 0..1; `jpegFile` is the quality by its file's tables. */
export function estimateDamage(photo: Image | PartedImage, jpegFile?: number): Estimates {
  const gray = lumaOf(photo)
  const windows = windowsOf(photo)
  const grayWindows = windowsOf({ ...gray, channels: 1, data: gray.values })
  return {
    noise255: noiseLevel(windows),
    noiseCurve: noiseCurve(grayWindows),
    jpegFile,
    jpegTraces: jpegTraces(gray),
    blockiness: blockiness(gray).ratio,
    edges: edgeWidths(gray),
    brightness: brightnessOf(gray),
    veil: veilOf(viewOf(photo, viewPx)),
  }
}
