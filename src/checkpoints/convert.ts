// Converts between the dtypes of checkpoints and float32. Widening is exact; narrowing
// rounds to nearest, ties to even.

import { dtypeBytes, elementCount, type TensorData, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'

/** Dtypes in which weights can be written. */
export type FloatDType = 'float64' | 'float32' | 'float16' | 'bfloat16'

/** Values as float32; a view of the same memory if they are aligned float32 already. */
export function toFloat32(data: TensorData): Float32Array {
  const count = elementCount(data.shape)
  const size = dtypeBytes[data.dtype]
  if (data.bytes.length !== count * size) {
    throw new RestoreError(
      'shape',
      `toFloat32: expected ${count * size} bytes for ${data.dtype} [${data.shape}], got ${data.bytes.length}`,
    )
  }
  const { bytes } = data
  switch (data.dtype) {
    case 'float32':
      return viewAs(bytes, Float32Array)
    case 'float64':
      return Float32Array.from(viewAs(bytes, Float64Array))
    case 'float16':
      return mapTable(viewAs(bytes, Uint16Array), tables.float16())
    case 'bfloat16':
      return widenBfloat16(viewAs(bytes, Uint16Array))
    case 'float8_e4m3fn':
      return mapTable(bytes, tables.float8_e4m3fn())
    case 'float8_e5m2':
      return mapTable(bytes, tables.float8_e5m2())
    case 'int64':
      return Float32Array.from(viewAs(bytes, BigInt64Array), Number)
    case 'uint64':
      return Float32Array.from(viewAs(bytes, BigUint64Array), Number)
    case 'int32':
      return Float32Array.from(viewAs(bytes, Int32Array))
    case 'uint32':
      return Float32Array.from(viewAs(bytes, Uint32Array))
    case 'int16':
      return Float32Array.from(viewAs(bytes, Int16Array))
    case 'uint16':
      return Float32Array.from(viewAs(bytes, Uint16Array))
    case 'int8':
      return Float32Array.from(viewAs(bytes, Int8Array))
    case 'uint8':
      return Float32Array.from(bytes)
    case 'bool':
      return Float32Array.from(bytes, (byte) => (byte === 0 ? 0 : 1))
  }
}

/** Float32 values as little-endian bytes of a dtype; a view of the same memory for float32. */
export function fromFloat32(values: Float32Array, dtype: FloatDType): Uint8Array {
  if (dtype === 'float32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  if (dtype === 'float64') return new Uint8Array(Float64Array.from(values).buffer)
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return new Uint8Array((dtype === 'float16' ? narrowFloat16(bits) : narrowBfloat16(bits)).buffer)
}

function mapTable(codes: Uint8Array | Uint16Array, table: Float32Array): Float32Array {
  const values = new Float32Array(codes.length)
  for (let i = 0; i < codes.length; i++) values[i] = table[codes[i]!]!
  return values
}

function widenBfloat16(codes: Uint16Array): Float32Array {
  const bits = new Uint32Array(codes.length)
  for (let i = 0; i < codes.length; i++) bits[i] = codes[i]! << 16
  return new Float32Array(bits.buffer)
}

function narrowBfloat16(bits: Uint32Array): Uint16Array {
  const codes = new Uint16Array(bits.length)
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!
    const isNan = (x & 0x7fffffff) > 0x7f800000
    codes[i] = isNan ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16
  }
  return codes
}

function narrowFloat16(bits: Uint32Array): Uint16Array {
  const codes = new Uint16Array(bits.length)
  const value = new Float32Array(1)
  const valueBits = new Uint32Array(value.buffer)
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!
    const magnitude = x & 0x7fffffff
    let code: number
    if (magnitude >= 0x47800000) {
      code = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00 // 65536 and above become infinity; NaN stays NaN.
    } else if (magnitude < 0x38800000) {
      // Below 2^-14: adding 1/2 makes float32 round at float16's smallest step, 2^-24.
      valueBits[0] = magnitude
      value[0] = value[0]! + 0.5
      code = valueBits[0]! - 0x3f000000
    } else {
      code = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13
    }
    codes[i] = code | ((x >>> 16) & 0x8000)
  }
  return codes
}

interface SmallFloat {
  readonly exponentBits: number
  readonly mantissaBits: number
  /** Whether the largest exponent encodes infinity and NaN; otherwise only all ones is NaN. */
  readonly hasInfinity: boolean
}

/** Decodes every code of a small IEEE-like format. */
function decodeAll({ exponentBits, mantissaBits, hasInfinity }: SmallFloat): Float32Array {
  const half = 2 ** (exponentBits + mantissaBits)
  const top = 2 ** exponentBits - 1
  const steps = 2 ** mantissaBits
  const bias = 2 ** (exponentBits - 1) - 1
  const values = new Float32Array(half * 2)
  for (let code = 0; code < half; code++) {
    const exponent = Math.floor(code / steps)
    const mantissa = code % steps
    let value =
      exponent === 0 ? (mantissa / steps) * 2 ** (1 - bias) : (1 + mantissa / steps) * 2 ** (exponent - bias)
    if (hasInfinity && exponent === top) value = mantissa === 0 ? Infinity : NaN
    if (!hasInfinity && code === half - 1) value = NaN
    values[code] = value
    values[code + half] = -value
  }
  return values
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

const tables = {
  float16: once(() => decodeAll({ exponentBits: 5, mantissaBits: 10, hasInfinity: true })),
  float8_e4m3fn: once(() => decodeAll({ exponentBits: 4, mantissaBits: 3, hasInfinity: false })),
  float8_e5m2: once(() => decodeAll({ exponentBits: 5, mantissaBits: 2, hasInfinity: true })),
}
