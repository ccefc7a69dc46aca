// Writes a color profile into an encoded file, for encoders that write none. ICC.1:2022, annex B; RFC 9649, section 2.7.

import { zlibSync } from 'fflate'
import { bigEndian, concat, latin1Bytes, littleEndian } from '../../core/bytes.ts'
import { latin1, viewOf } from '../../core/data.ts'
import { pngChunk } from '../formats/png.ts'

/** Bytes of a profile in a segment of JPEG, behind its mark and numbers. */
const segmentBytes = 65519

/** Adds a profile to a JPEG, PNG or WebP without one. */
export function embedProfile(
  file: Uint8Array,
  format: 'jpeg' | 'png' | 'webp',
  icc: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (format === 'jpeg') return concat([file.subarray(0, 2), ...profileSegments(icc), file.subarray(2)])
  if (format === 'png') {
    const chunk = pngChunk('iCCP', latin1Bytes('ICC profile\0\0'), zlibSync(icc))
    return concat([file.subarray(0, 33), chunk, file.subarray(33)])
  }
  return embedInWebp(file, icc)
}

function profileSegments(icc: Uint8Array): readonly Uint8Array[] {
  const count = Math.ceil(icc.length / segmentBytes)
  return Array.from({ length: count }, (_, i) => {
    const part = icc.subarray(i * segmentBytes, (i + 1) * segmentBytes)
    const body = concat([latin1Bytes('ICC_PROFILE\0'), Uint8Array.of(i + 1, count), part])
    return concat([Uint8Array.of(0xff, 0xe2), bigEndian(body.length + 2, 2), body])
  })
}

/** Adds the profile behind the extended header, which is added where there is none. */
function embedInWebp(file: Uint8Array, icc: Uint8Array): Uint8Array<ArrayBuffer> {
  const isExtended = latin1(file, 12, 16) === 'VP8X'
  const header = isExtended ? file.slice(12, 30) : extendedHeader(file)
  header[8] = header[8]! | 0x20
  const chunk = [latin1Bytes('ICCP'), littleEndian(icc.length, 4), icc, new Uint8Array(icc.length % 2)]
  const whole = concat([file.subarray(0, 12), header, ...chunk, file.subarray(isExtended ? 30 : 12)])
  whole.set(littleEndian(whole.length - 8, 4), 4)
  return whole
}

/** The extended header of a file with one bitstream alone, lossy or lossless. */
function extendedHeader(file: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = viewOf(file)
  const isLossless = latin1(file, 12, 16) === 'VP8L'
  const packed = isLossless ? view.getUint32(21, true) : 0
  const [width, height] = isLossless
    ? [packed & 0x3fff, (packed >>> 14) & 0x3fff]
    : [(view.getUint16(26, true) & 0x3fff) - 1, (view.getUint16(28, true) & 0x3fff) - 1]
  const flags = isLossless && (packed >>> 28) & 1 ? 0x10 : 0
  const head = concat([latin1Bytes('VP8X'), littleEndian(10, 4), Uint8Array.of(flags, 0, 0, 0)])
  return concat([head, littleEndian(width, 3), littleEndian(height, 3)])
}
