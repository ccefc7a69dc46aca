// Quantization tables and the 'islow' DCT of libjpeg, bit for bit. ITU-T T.81 Annex K; 13-bit DCT of Loeffler, Ligtenberg,
// Moschytz, ICASSP 1989.

// Annex K.1 and K.2, row by row.
const lumaTable = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22,
  29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103,
  121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
]
const chromaTable = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
]

/** Scales a quantization table to a quality of 1..100, as libjpeg does. */
function scaleTable(table: readonly number[], quality: number): Int32Array {
  const percent = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality
  return Int32Array.from(table, (step) => Math.min(Math.max(Math.floor((step * percent + 50) / 100), 1), 255))
}

/** Quantization steps of luma at a quality of 1..100, row by row. */
export function lumaSteps(quality: number): Int32Array {
  return scaleTable(lumaTable, quality)
}

/** Quantization steps of chroma at a quality of 1..100, row by row. */
export function chromaSteps(quality: number): Int32Array {
  return scaleTable(chromaTable, quality)
}

// DCT constants, scaled by 2^13.
const c0298 = 2446
const c0390 = 3196
const c0541 = 4433
const c0765 = 6270
const c0899 = 7373
const c1175 = 9633
const c1501 = 12299
const c1847 = 15137
const c1961 = 16069
const c2053 = 16819
const c2562 = 20995
const c3072 = 25172

/** One-dimensional DCT of eight values `step` apart, in place; output is scaled by 2^(13 - shift) sqrt(8). */
export function forwardDct(block: Int32Array, at: number, step: number, shift: number): void {
  const i1 = at + step
  const i2 = at + 2 * step
  const i3 = at + 3 * step
  const i4 = at + 4 * step
  const i5 = at + 5 * step
  const i6 = at + 6 * step
  const i7 = at + 7 * step
  const s07 = block[at]! + block[i7]!
  const d07 = block[at]! - block[i7]!
  const s16 = block[i1]! + block[i6]!
  const d16 = block[i1]! - block[i6]!
  const s25 = block[i2]! + block[i5]!
  const d25 = block[i2]! - block[i5]!
  const s34 = block[i3]! + block[i4]!
  const d34 = block[i3]! - block[i4]!
  const half = 1 << (shift - 1)

  const even0 = s07 + s34
  const even1 = s16 + s25
  block[at] = (((even0 + even1) << 13) + half) >> shift
  block[i4] = (((even0 - even1) << 13) + half) >> shift
  const e = Math.imul(s16 - s25 + s07 - s34, c0541)
  block[i2] = (e + Math.imul(s07 - s34, c0765) + half) >> shift
  block[i6] = (e - Math.imul(s16 - s25, c1847) + half) >> shift

  const z5 = Math.imul(d34 + d16 + d25 + d07, c1175)
  const z1 = -Math.imul(d34 + d07, c0899)
  const z2 = -Math.imul(d25 + d16, c2562)
  const z3 = z5 - Math.imul(d34 + d16, c1961)
  const z4 = z5 - Math.imul(d25 + d07, c0390)
  block[i7] = (Math.imul(d34, c0298) + z1 + z3 + half) >> shift
  block[i5] = (Math.imul(d25, c2053) + z2 + z4 + half) >> shift
  block[i3] = (Math.imul(d16, c3072) + z2 + z3 + half) >> shift
  block[i1] = (Math.imul(d07, c1501) + z1 + z4 + half) >> shift
}

/** Inverse of {@link forwardDct}, in place; output is scaled by 2^(13 - shift) sqrt(8). */
export function inverseDct(block: Int32Array, at: number, step: number, shift: number): void {
  const i1 = at + step
  const i2 = at + 2 * step
  const i3 = at + 3 * step
  const i4 = at + 4 * step
  const i5 = at + 5 * step
  const i6 = at + 6 * step
  const i7 = at + 7 * step
  const half = 1 << (shift - 1)
  const x0 = block[at]!
  const x1 = block[i1]!
  const x2 = block[i2]!
  const x3 = block[i3]!
  const x4 = block[i4]!
  const x5 = block[i5]!
  const x6 = block[i6]!
  const x7 = block[i7]!

  const e = Math.imul(x2 + x6, c0541)
  const e2 = e - Math.imul(x6, c1847)
  const e3 = e + Math.imul(x2, c0765)
  const e0 = ((x0 + x4) << 13) + half
  const e1 = ((x0 - x4) << 13) + half

  const z5 = Math.imul(x7 + x3 + x5 + x1, c1175)
  const z1 = -Math.imul(x7 + x1, c0899)
  const z2 = -Math.imul(x5 + x3, c2562)
  const z3 = z5 - Math.imul(x7 + x3, c1961)
  const z4 = z5 - Math.imul(x5 + x1, c0390)
  const o0 = Math.imul(x7, c0298) + z1 + z3
  const o1 = Math.imul(x5, c2053) + z2 + z4
  const o2 = Math.imul(x3, c3072) + z2 + z3
  const o3 = Math.imul(x1, c1501) + z1 + z4

  block[at] = (e0 + e3 + o3) >> shift
  block[i7] = (e0 + e3 - o3) >> shift
  block[i1] = (e1 + e2 + o2) >> shift
  block[i6] = (e1 + e2 - o2) >> shift
  block[i2] = (e1 - e2 + o1) >> shift
  block[i5] = (e1 - e2 - o1) >> shift
  block[i3] = (e0 - e3 + o0) >> shift
  block[i4] = (e0 - e3 - o0) >> shift
}
