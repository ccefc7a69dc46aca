// Writes small zip archives for tests, as honest or as broken as they are wanted.

import { deflateSync } from 'fflate'
import { crc32 } from '../../../src/core/crc32.ts'

export interface ZipRecord {
  readonly name: string
  readonly bytes: Uint8Array | string
  readonly deflate?: boolean
  /** Changes what the directory says of this record. */
  readonly claim?: {
    readonly crc?: number
    readonly size?: number
    readonly headerOffset?: number
    readonly flags?: number
  }
}

/** An archive of the records; with `zip64`, all of the directory's sizes and offsets are in zip64 fields. */
export function buildZip(records: readonly ZipRecord[], options: { zip64?: boolean } = {}): Uint8Array {
  const body: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const record of records) {
    const { local, central } = writeRecord(record, offset, options.zip64 === true)
    body.push(local)
    directory.push(central)
    offset += local.length
  }
  const directoryBytes = concat(directory)
  const end = writeEnd({ count: records.length, size: directoryBytes.length, offset }, options.zip64 === true)
  return concat([...body, directoryBytes, end])
}

/** A file of torch.save with this data.pkl and these storages. */
export function buildCheckpoint(
  pickle: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>>,
): Uint8Array {
  return buildZip([
    { name: 'archive/data.pkl', bytes: pickle },
    ...Object.entries(storages).map(([key, bytes]) => ({ name: `archive/data/${key}`, bytes })),
  ])
}

function writeRecord(
  record: ZipRecord,
  offset: number,
  zip64: boolean,
): { local: Uint8Array; central: Uint8Array } {
  const name = new TextEncoder().encode(record.name)
  const raw = typeof record.bytes === 'string' ? new TextEncoder().encode(record.bytes) : record.bytes
  const packed = record.deflate ? deflateSync(raw) : raw
  const method = record.deflate ? 8 : 0
  const crc = record.claim?.crc ?? crc32(raw)
  const sizes = [record.claim?.size ?? raw.length, packed.length, record.claim?.headerOffset ?? offset]
  const wide = zip64
    ? fields([[1, 2], [24, 2], ...sizes.map((size) => [size, 8] as const)])
    : new Uint8Array(0)
  const [size, packedSize, headerOffset] = zip64 ? sizes.map(() => 0xffffffff) : sizes
  const local = fields([
    [0x04034b50, 4],
    [20, 2],
    [0, 2],
    [method, 2],
    [0, 4],
    [crc, 4],
    [packed.length, 4],
    [raw.length, 4],
    [name.length, 2],
    [0, 2],
  ])
  const central = fields([
    [0x02014b50, 4],
    [20, 2],
    [20, 2],
    [record.claim?.flags ?? 0, 2],
    [method, 2],
    [0, 4],
    [crc, 4],
    [packedSize!, 4],
    [size!, 4],
    [name.length, 2],
    [wide.length, 2],
    [0, 2],
    [0, 4],
    [0, 4],
    [headerOffset!, 4],
  ])
  return { local: concat([local, name, packed]), central: concat([central, name, wide]) }
}

function writeEnd(directory: { count: number; size: number; offset: number }, zip64: boolean): Uint8Array {
  const { count, size, offset } = directory
  if (!zip64)
    return fields([
      [0x06054b50, 4],
      [0, 4],
      [count, 2],
      [count, 2],
      [size, 4],
      [offset, 4],
      [0, 2],
    ])
  return fields([
    [0x06064b50, 4],
    [44, 8],
    [45, 2],
    [45, 2],
    [0, 8],
    [count, 8],
    [count, 8],
    [size, 8],
    [offset, 8],
    [0x07064b50, 4],
    [0, 4],
    [offset + size, 8],
    [1, 4],
    [0x06054b50, 4],
    [0, 4],
    [0xffff, 2],
    [0xffff, 2],
    [0xffffffff, 4],
    [0xffffffff, 4],
    [0, 2],
  ])
}

/** Little-endian integers of given widths. */
function fields(values: readonly (readonly [value: number, width: number])[]): Uint8Array {
  const out: number[] = []
  for (const [value, width] of values) {
    for (let byte = 0; byte < width; byte++) out.push(Math.floor(value / 256 ** byte) % 256)
  }
  return Uint8Array.from(out)
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
