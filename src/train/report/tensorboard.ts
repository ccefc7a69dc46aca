// TensorBoard event files: TFRecord records, each an Event protobuf with scalars.
// https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto

import { appendFileSync } from 'node:fs'

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc >>> 0
})

/** CRC-32C (Castagnoli), rotated and offset as TFRecord stores it. */
export function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 255]!
  crc = ~crc >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** TFRecord framing: length, checksum of the length, bytes, checksum of the bytes. */
export function tfRecord(bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(16 + bytes.length)
  const view = new DataView(record.buffer)
  view.setBigUint64(0, BigInt(bytes.length), true)
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true)
  record.set(bytes, 12)
  view.setUint32(12 + bytes.length, maskedCrc32c(bytes), true)
  return record
}

function varint(value: number): number[] {
  const bytes = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return [...bytes, value]
}

function bytesField(number: number, bytes: Uint8Array): number[] {
  return [(number << 3) | 2, ...varint(bytes.length), ...bytes]
}

function stringField(number: number, value: string): number[] {
  return bytesField(number, new TextEncoder().encode(value))
}

function floatField(number: number, value: number, size: 4 | 8): number[] {
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  if (size === 4) view.setFloat32(0, value, true)
  else view.setFloat64(0, value, true)
  return [(number << 3) | (size === 4 ? 5 : 1), ...bytes]
}

/** Encodes an Event with scalars at a step; without scalars, the version event that starts a file. */
export function scalarEvent(
  wallSeconds: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  const values = Object.entries(scalars).flatMap(([tag, value]) =>
    bytesField(1, Uint8Array.from([...stringField(1, tag), ...floatField(2, value, 4)])),
  )
  const payload = values.length > 0 ? bytesField(5, Uint8Array.from(values)) : stringField(3, 'brain.Event:2')
  return Uint8Array.from([...floatField(1, wallSeconds, 8), 16, ...varint(step), ...payload])
}

/** Appends scalars to an event file. */
export function appendScalars(
  file: string,
  wallSeconds: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): void {
  appendFileSync(file, tfRecord(scalarEvent(wallSeconds, step, scalars)))
}
