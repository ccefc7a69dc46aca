// Elementary functions built from operations that IEEE 754 rounds exactly (+ - * / sqrt), so that results are
// the same bit for bit; Math.log, Math.exp, Math.sin and Math.cos may differ between JavaScript engines.

const bits = new DataView(new ArrayBuffer(8))

function powerOfTwo(exponent: number): number {
  bits.setUint32(0, (exponent + 1023) << 20)
  bits.setUint32(4, 0)
  return bits.getFloat64(0)
}

/** The upper half of x = high + low, with at most 26 bits in each (Veltkamp). */
function highPart(x: number): number {
  const scaled = x * 134217729
  return scaled - (scaled - x)
}

const fractionBits = 120n

/** 2·atanh(1 / n) = log((n + 1) / (n − 1)) in fixed point. */
function logStep(n: bigint): bigint {
  let power = (2n << fractionBits) / n
  let sum = 0n
  for (let odd = 1n; power > 0n; odd += 2n) {
    sum += power / odd
    power /= n * n
  }
  return sum
}

/** Splits a fixed-point number into a multiple of 2^-42, of which sums are exact, and the remainder. */
function splitFixed(value: bigint): readonly [high: number, low: number] {
  const drop = fractionBits - 42n
  const high = value >> drop
  return [Number(high) / 2 ** 42, Number(value - (high << drop)) / 2 ** 120]
}

const [ln2High, ln2Low] = splitFixed(logStep(3n))

/** −log(n / 256) for n from 181 to 363: the reciprocals of mantissas from √½ to √2. */
const logTable = (() => {
  const first = 181
  const last = 363
  const high = new Float64Array(last + 1)
  const low = new Float64Array(last + 1)
  const setEntry = (n: number, value: bigint) => {
    const [a, b] = splitFixed(value)
    high[n] = a
    low[n] = b
  }
  let up = 0n
  for (let n = 257; n <= last; n++) {
    up -= logStep(BigInt(2 * n - 1))
    setEntry(n, up)
  }
  let down = 0n
  for (let n = 255; n >= first; n--) {
    down += logStep(BigInt(2 * n + 1))
    setEntry(n, down)
  }
  return { high, low }
})()

/** Natural logarithm of a positive normal number; correctly rounded in all but about one in 10,000 cases. */
export function log(x: number): number {
  bits.setFloat64(0, x)
  const top = bits.getUint32(0)
  // The mantissa lies in √½ … √2.
  const shifted = top + (0x3ff00000 - 0x3fe6a09e)
  const exponent = (shifted >>> 20) - 1023
  bits.setUint32(0, top - (exponent << 20))
  const z = bits.getFloat64(0)
  const n = Math.floor(256 / z + 0.5)
  const reciprocal = n / 256
  const zHigh = highPart(z)
  // z·reciprocal − 1 = a + b exactly; at most 2^-8.5.
  const a = zHigh * reciprocal - 1
  const b = (z - zHigh) * reciprocal
  const t = a + b
  const tLow = b - (t - a)

  const base = exponent * ln2High + logTable.high[n]!
  const baseLow = exponent * ln2Low + logTable.low[n]!
  const tHigh = highPart(t)
  const rest = t - tHigh
  const square = t * t
  const squareLow = tHigh * tHigh - square + 2 * tHigh * rest + rest * rest
  const sum = base + t
  const sumLow = base === 0 ? 0 : t - (sum - base)
  const result = sum - 0.5 * square
  const resultLow = sum - result - 0.5 * square
  const series = 1 / 3 - t * (1 / 4 - t * (1 / 5 - t * (1 / 6 - t * (1 / 7 - t * (1 / 8 - t / 9)))))
  return result + (resultLow + sumLow + (baseLow + tLow - 0.5 * squareLow - t * tLow + square * t * series))
}

/** e^x, within about 1 unit in the last place; 0 below −708. */
export function exp(x: number): number {
  if (x < -708) return 0
  if (x > 709) return Number.POSITIVE_INFINITY
  const k = Math.floor(x / Math.LN2 + 0.5)
  const r = x - k * ln2High - k * ln2Low
  let sum = 1
  for (let n = 13; n >= 1; n--) sum = 1 + (r / n) * sum
  return sum * powerOfTwo(k)
}

/** x^y for x ≥ 0. */
export function power(x: number, y: number): number {
  return x <= 0 ? 0 : exp(y * log(x))
}

const halfPiHigh = 1.5707963267341256
const halfPiLow = 6.077100506506192e-11

/** Sine and cosine of an angle of up to a few thousand radians. */
export function sinCos(angle: number): readonly [sin: number, cos: number] {
  const quarter = Math.floor(angle / (Math.PI / 2) + 0.5)
  const r = angle - quarter * halfPiHigh - quarter * halfPiLow
  const square = r * r
  let sin = 1
  let cos = 1
  for (let n = 18; n >= 2; n -= 2) {
    cos = 1 - (square / (n * (n - 1))) * cos
    sin = 1 - (square / (n * (n + 1))) * sin
  }
  sin *= r
  switch (quarter & 3) {
    case 0:
      return [sin, cos]
    case 1:
      return [cos, -sin]
    case 2:
      return [-sin, -cos]
    default:
      return [-cos, sin]
  }
}
