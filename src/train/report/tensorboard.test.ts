import { expect, test } from 'vitest'
import { maskedCrc32c, scalarEvent, tfRecord } from './tensorboard.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('the checksum is the masked CRC-32C of TFRecord', () => {
  // The check value of CRC-32C for '123456789' is e3069283.
  const crc = 0xe3069283
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
  expect(maskedCrc32c(new TextEncoder().encode('123456789'))).toBe(masked)
})

test('a scalar is encoded as TensorBoard’s own writer does', () => {
  // event_pb2.Event(wall_time=1.5, step=300, summary=Summary(value=[Value(tag='a', simple_value=0.5)])), by
  // tensorboard 2.21.
  expect(hex(scalarEvent(1.5, 300, { a: 0.5 }))).toBe('09000000000000f83f10ac022a0a0a080a0161150000003f')
})

test('a record holds length, checksum of the length, bytes and checksum of the bytes', () => {
  const record = tfRecord(Uint8Array.of(1, 2, 3))
  expect(record.length).toBe(19)
  expect(hex(record.subarray(0, 8))).toBe('0300000000000000')
  expect(new DataView(record.buffer).getUint32(15, true)).toBe(maskedCrc32c(Uint8Array.of(1, 2, 3)))
})
