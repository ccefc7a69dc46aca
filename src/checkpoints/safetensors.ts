// The safetensors format: 8-byte header length, JSON header, tensor bytes.
// https://github.com/huggingface/safetensors

import { type DType, dtypeBytes, elementCount, type TensorData } from '../core/data.ts'
import { describeValue } from '../core/options.ts'
import { type ByteSource, type Checkpoint, malformed, type StoredTensor, within } from './checkpoint.ts'
import { safeProduct } from './tensorViews.ts'

// In the order of the reference implementation's enum, which determines the order of tensors in a file.
const dtypeNames = {
  bool: 'BOOL',
  uint8: 'U8',
  int8: 'I8',
  float8_e5m2: 'F8_E5M2',
  float8_e4m3fn: 'F8_E4M3',
  int16: 'I16',
  uint16: 'U16',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  uint32: 'U32',
  float32: 'F32',
  float64: 'F64',
  int64: 'I64',
  uint64: 'U64',
} as const satisfies Record<DType, string>

const dtypeOrder = Object.keys(dtypeNames) as DType[]
const dtypeByName = new Map<unknown, DType>(dtypeOrder.map((dtype) => [dtypeNames[dtype], dtype]))

const maxHeaderBytes = 100_000_000
/** Lists and objects of a header; three for each tensor. Parsed, they take far more memory than their text. */
const maxHeaderNodes = 1_000_000
const metadataKey = '__metadata__'

interface Entry {
  readonly key: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly start: number
  readonly end: number
}

/** Opens a safetensors file and checks its whole header; tensors are read on demand. */
export function readSafetensors(source: ByteSource): Pick<Checkpoint, 'tensors' | 'metadata'> {
  const { header, dataOffset } = readHeader(source)
  const entries: Entry[] = []
  let metadata: ReadonlyMap<string, string> = new Map()
  for (const [key, value] of Object.entries(header)) {
    if (key === metadataKey) metadata = readMetadata(value)
    else entries.push(within(`tensor '${key}'`, () => readEntry(key, value)))
  }
  checkLayout(entries, source.size - dataOffset)
  const tensors = new Map<string, StoredTensor>()
  for (const { key, dtype, shape, start, end } of entries) {
    tensors.set(key, { dtype, shape, read: () => source.read(dataOffset + start, end - start) })
  }
  return { tensors, metadata }
}

function readHeader(source: ByteSource): { header: Readonly<Record<string, unknown>>; dataOffset: number } {
  if (source.size < 8) throw malformed(`expected at least 8 bytes, got ${source.size}: the file is cut short`)
  const head = source.read(0, 8)
  const length = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true)
  if (length > maxHeaderBytes) {
    throw malformed(`expected a header of at most ${maxHeaderBytes} bytes, but it claims ${length}`)
  }
  const dataOffset = 8 + Number(length)
  if (dataOffset > source.size) {
    throw malformed(`its header claims ${length} bytes, but the file has ${source.size}: it is cut short`)
  }
  const bytes = source.read(8, Number(length))
  checkNodes(bytes)
  const text = decodeHeader(bytes)
  const header = parseHeader(text)
  if (!isRecord(header)) throw malformed('expected its header to be a JSON object')
  checkDuplicates(text)
  return { header, dataOffset }
}

function checkNodes(header: Uint8Array): void {
  let nodes = 0
  for (let i = 0; i < header.length; i++) if (header[i] === 0x7b || header[i] === 0x5b) nodes++
  if (nodes <= maxHeaderNodes) return
  throw malformed(
    `its header has ${nodes} lists and objects, more than the ${maxHeaderNodes} that any network needs`,
  )
}

function decodeHeader(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw malformed('its header is not UTF-8', error)
  }
}

function parseHeader(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw malformed(
      `its header is not JSON: ${error instanceof Error ? error.message.slice(0, 200) : ''}`,
      error,
    )
  }
}

/**
 * Rejects duplicate keys: JSON.parse keeps the last, other parsers the first, so
 * readers would disagree about the file.
 */
function checkDuplicates(json: string): void {
  const scopes: Set<string>[] = []
  for (let at = 0; at < json.length; at++) {
    const char = json[at]
    if (char === '{') scopes.push(new Set())
    else if (char === '}') scopes.pop()
    else if (char === '"') {
      const start = at
      for (at++; json[at] !== '"'; at++) if (json[at] === '\\') at++
      if (isFollowedByColon(json, at + 1)) addKey(json.slice(start, at + 1), scopes.at(-1)!)
    }
  }
}

function isFollowedByColon(json: string, at: number): boolean {
  let next = at
  while (' \t\r\n'.includes(json[next]!)) next++
  return json[next] === ':'
}

function addKey(quoted: string, scope: Set<string>): void {
  const key = String(JSON.parse(quoted))
  if (scope.has(key)) throw malformed(`its header has the key '${key}' twice`)
  scope.add(key)
}

function readMetadata(value: unknown): Map<string, string> {
  if (!isRecord(value)) throw malformed(`expected ${metadataKey} to be a JSON object`)
  const metadata = new Map<string, string>()
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw malformed(`expected ${metadataKey} '${key}' to be a string`)
    metadata.set(key, text)
  }
  return metadata
}

function readEntry(key: string, value: unknown): Entry {
  if (!isRecord(value)) throw malformed('expected dtype, shape and data_offsets')
  const dtype = dtypeByName.get(value.dtype)
  if (!dtype) {
    const known = [...dtypeByName.keys()].join(', ')
    throw malformed(`expected a dtype of ${known}, got ${describeValue(value.dtype)}`)
  }
  const shape = readLengths('shape', value.shape)
  const offsets = readLengths('data_offsets', value.data_offsets)
  const [start = 0, end = 0] = offsets
  if (offsets.length !== 2 || start > end) {
    throw malformed(`expected data_offsets [begin, end], got [${offsets.slice(0, 8)}]`)
  }
  const bytes = safeProduct(shape) * dtypeBytes[dtype]
  if (bytes !== end - start) {
    throw malformed(
      `${dtypeNames[dtype]} [${shape}] takes ${bytes} bytes, but data_offsets hold ${end - start}`,
    )
  }
  return { key, dtype, shape, start, end }
}

function readLengths(field: string, value: unknown): number[] {
  const isLength = (size: unknown): size is number => Number.isSafeInteger(size) && Number(size) >= 0
  if (!Array.isArray(value) || !value.every(isLength)) {
    throw malformed(`expected ${field} to be a list of integers from 0 to 2^53, got ${describeValue(value)}`)
  }
  return value
}

/** Checks that the tensors cover the data without overlaps, gaps or trailing bytes. */
function checkLayout(entries: readonly Entry[], dataBytes: number): void {
  let covered = 0
  for (const { key, start, end } of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== covered) {
      throw malformed(
        `tensor '${key}': starts at byte ${start} of the data, but the previous one ends at ${covered}`,
      )
    }
    covered = end
  }
  if (covered !== dataBytes) {
    throw malformed(
      `its tensors take ${covered} bytes, but ${dataBytes} follow the header: it is cut short or damaged`,
    )
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A tensor to write: in memory, or in another file, to be read when its turn comes. */
export type WritableTensor = TensorData | StoredTensor

/**
 * Yields the parts of a safetensors file: its header, then each tensor's bytes on
 * demand. Deterministic: tensors are in the reference implementation's order (largest
 * alignment first, then by name), metadata is sorted by key.
 */
export function* safetensorsParts(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Generator<Uint8Array> {
  const sorted = [...tensors].sort(
    ([a, left], [b, right]) =>
      dtypeOrder.indexOf(right.dtype) - dtypeOrder.indexOf(left.dtype) || compareUtf8(a, b),
  )
  yield encodeHeader(sorted, metadata)
  for (const [key, tensor] of sorted) {
    const bytes = 'bytes' in tensor ? tensor.bytes : tensor.read()
    const expected = byteLengthOf(tensor)
    if (bytes.length !== expected) {
      throw malformed(
        `tensor '${key}': expected ${expected} bytes for [${tensor.shape}], got ${bytes.length}`,
      )
    }
    yield bytes
  }
}

/** Encodes a whole safetensors file in memory. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata?: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer> {
  const parts = [...safetensorsParts(tensors, metadata)]
  const file = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let at = 0
  for (const part of parts) {
    file.set(part, at)
    at += part.length
  }
  return file
}

function encodeHeader(
  sorted: readonly (readonly [string, WritableTensor])[],
  metadata: ReadonlyMap<string, string>,
): Uint8Array {
  const fields: string[] = []
  if (metadata.size > 0) {
    const pairs = [...metadata].sort(([a], [b]) => compareUtf8(a, b))
    const body = pairs.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`)
    fields.push(`"${metadataKey}":{${body}}`)
  }
  let end = 0
  for (const [key, tensor] of sorted) {
    if (key === metadataKey) throw malformed(`a tensor cannot be named ${metadataKey}`)
    const start = end
    end += byteLengthOf(tensor)
    const entry = { dtype: dtypeNames[tensor.dtype], shape: tensor.shape, data_offsets: [start, end] }
    fields.push(`${JSON.stringify(key)}:${JSON.stringify(entry)}`)
  }
  const json = new TextEncoder().encode(`{${fields}}`)
  const padded = Math.ceil(json.length / 8) * 8
  const header = new Uint8Array(8 + padded).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true)
  header.set(json, 8)
  return header
}

function byteLengthOf({ dtype, shape }: WritableTensor): number {
  return elementCount(shape) * dtypeBytes[dtype]
}

/** Compares by code point, like UTF-8 bytes; in UTF-16, surrogates come before U+E000. */
function compareUtf8(a: string, b: string): number {
  const rank = (unit: number) => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit)
  for (let index = 0; index < a.length && index < b.length; index++) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
