import { expect, test } from 'vitest'
import { viewAs } from './data.ts'

test('aligned bytes are viewed in place', () => {
  const bytes = new Uint8Array(16).subarray(8)
  const values = viewAs(bytes, Float32Array)
  values[1] = 2
  expect([values.length, values.buffer === bytes.buffer, bytes[7]]).toEqual([2, true, 64])
})

test('unaligned bytes are copied, even from a Buffer', () => {
  for (const memory of [new Uint8Array(9), Buffer.alloc(64)]) {
    const odd = memory.byteOffset % 4 === 1 ? 0 : 1
    const bytes = memory.subarray(odd, odd + 8)
    bytes.set(new Uint8Array(Float32Array.of(1, -2).buffer))
    const values = viewAs(bytes, Float32Array)
    expect([...values]).toEqual([1, -2])
    expect(values.buffer).not.toBe(bytes.buffer)
  }
})
