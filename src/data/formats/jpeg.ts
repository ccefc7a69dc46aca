// Walks the segments of a JPEG: what its decoder does not say, and what it would take too long to find out.
// ITU-T T.81, annex B.

/** A marker segment without its marker and length. */
export interface JpegSegment {
  readonly marker: number
  readonly body: Uint8Array
}

export interface JpegLayout {
  /** Segments before the first scan. */
  readonly segments: readonly JpegSegment[]
  /** Scans of the picture. */
  readonly scans: number
  /** Position after the end of the picture; the length of the file if it is cut. */
  readonly end: number
}

const startOfScan = 0xda
const endOfImage = 0xd9

/**
 * Scans of the largest JPEG that is read: encoders write about ten, but a small file can hold a hundred thousand,
 * each of which takes a pass over all pixels.
 */
const maxScans = 500

/** Reads the layout up to the end of the picture. */
export function jpegLayout(bytes: Uint8Array): JpegLayout {
  const segments: JpegSegment[] = []
  let scans = 0
  let at = 2
  while (at + 4 <= bytes.length) {
    at = nextMarker(bytes, at)
    const marker = bytes[at + 1]
    if (marker === undefined) break
    if (marker === endOfImage) return { segments, scans, end: at + 2 }
    if (marker === startOfScan) scans++
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!
    const end = at + 2 + length
    if (scans === 0) segments.push({ marker, body: bytes.subarray(at + 4, end) })
    at = Math.max(end, at + 2)
  }
  return { segments, scans, end: bytes.length }
}

/** Position of the next marker that starts a segment: not a stuffed byte, a fill byte, or a restart. */
function nextMarker(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1]
    const isRestart = next !== undefined && next >= 0xd0 && next <= 0xd7
    if (next !== 0 && next !== 0xff && next !== 1 && !isRestart) return at
  }
  return bytes.length
}

/** Names of frame types that baseline and progressive decoders lack. */
function codingOf(marker: number): string | undefined {
  if (marker === 0xc3 || marker === 0xc7 || marker === 0xcb || marker === 0xcf || marker === 0xf7)
    return 'a lossless JPEG'
  return marker === 0xc5 || marker === 0xc6 || marker === 0xcd || marker === 0xce
    ? 'a hierarchical JPEG'
    : undefined
}

const frameMarkers = new Set([
  0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf, 0xf7,
])

/** Refuses what cannot be decoded, or would take too long. */
export function checkJpeg({ segments, scans }: JpegLayout): void {
  const frame = segments.find(({ marker }) => frameMarkers.has(marker))
  const coding = frame && codingOf(frame.marker)
  if (coding) throw new Error(`${coding}; convert it to PNG or TIFF`)
  const precision = frame?.body[0]
  if (precision !== undefined && precision !== 8)
    throw new Error(`a JPEG of ${precision} bits per sample; convert it to a PNG or TIFF of 16 bits`)
  if (scans > maxScans)
    throw new Error(
      `a JPEG of ${scans} scans, more than ${maxScans}, which is made to take long; save it again if you trust it`,
    )
}
