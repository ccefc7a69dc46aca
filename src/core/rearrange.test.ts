import { describe, expect, test } from 'vitest'
import { trace } from '../onnx/tracer.ts'
import { float32Data } from './data.ts'
import { inverseNorm, pixelUnshuffle } from './functional.ts'
import { hostTensor } from './hostBackend.ts'
import { rearrange } from './rearrange.ts'
import type { Tensor } from './tensor.ts'

/** 0, 1, 2, … */
function counting(...shape: number[]): Tensor {
  const count = shape.reduce((n, size) => n * size, 1)
  return hostTensor(
    float32Data(
      Float32Array.from({ length: count }, (_, i) => i),
      shape,
    ),
  )
}

function valuesOf(tensor: Tensor): number[] {
  const { bytes } = tensor.read()
  return [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)]
}

describe('rearrange', () => {
  test('transposes', () => {
    const y = rearrange(counting(2, 3), 'a b -> b a')
    expect(y.shape).toEqual([3, 2])
    expect(valuesOf(y)).toEqual([0, 3, 1, 4, 2, 5])
  })

  test('splits with the first name of a group varying slowest', () => {
    const y = rearrange(counting(6), '(heads d) -> d heads', { heads: 2 })
    expect(y.shape).toEqual([3, 2])
    expect(valuesOf(y)).toEqual([0, 3, 1, 4, 2, 5])
  })

  test('joins in the order of the pattern', () => {
    expect(valuesOf(rearrange(counting(2, 3), 'a b -> (b a)'))).toEqual([0, 3, 1, 4, 2, 5])
    expect(valuesOf(rearrange(counting(2, 3), 'a b -> (a b)'))).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('infers one size of a group', () => {
    expect(rearrange(counting(12), '(a b c) -> a b c', { a: 2, c: 3 }).shape).toEqual([2, 2, 3])
    expect(rearrange(counting(12), '(a b) -> a b', { b: 4 }).shape).toEqual([3, 4])
  })

  test('adds and drops dimensions of size one', () => {
    expect(rearrange(counting(2, 3), 'a b -> a () b').shape).toEqual([2, 1, 3])
    expect(rearrange(counting(1, 6), '() (a b) -> a b', { a: 2 }).shape).toEqual([2, 3])
  })

  test('returns the same tensor if nothing moves', () => {
    const x = counting(2, 3)
    expect(rearrange(x, 'a b -> a b')).toBe(x)
  })

  test('cuts an image into windows', () => {
    const y = rearrange(counting(1, 1, 2, 4), 'b c (h p) (w q) -> (b h w) c p q', { p: 2, q: 2 })
    expect(y.shape).toEqual([2, 1, 2, 2])
    expect(valuesOf(y)).toEqual([0, 1, 4, 5, 2, 3, 6, 7])
  })

  test('carries sizes known only at run time', () => {
    const { outputs } = trace([{ name: 'x', shape: ['b', 6, 'h', 'w'] }], ({ x }) => {
      if (!x) throw new Error('no input')
      const { h, w } = x.axes('b c h w')
      const heads = rearrange(x, 'b (heads d) h w -> b heads d (h w)', { heads: 2 })
      const back = rearrange(heads, 'b heads d (h w) -> b (heads d) h w', { h, w })
      return { heads, back, quarters: rearrange(x, 'b c (h p) (w q) -> b c h w (p q)', { p: 2, q: 2 }) }
    })
    expect(outputs.map(({ name, value }) => [name, value.shape])).toEqual([
      ['heads', ['b', 2, 3, 'h*w']],
      ['back', ['b', 6, 'h', 'w']],
      ['quarters', ['b', 6, 'h/2', 'w/2', 4]],
    ])
  })

  test.each([
    ['a b -> a c', 'a name that appears on one side only'],
    ['a b -> a', 'a name that is dropped'],
    ['a b -> a b b', 'a name that is repeated'],
    ['a b -> a a', 'a name that replaces another'],
    ['a a -> a', 'a name twice on the left'],
    ['a b', 'no arrow'],
  ])("rejects '%s': %s", (pattern) => {
    expect(() => rearrange(counting(2, 2), pattern)).toThrow(
      `rearrange: expected every name once on each side, got '${pattern}'`,
    )
  })

  test('rejects a wrong rank, sizes that do not divide evenly, and too few sizes', () => {
    expect(() => rearrange(counting(2, 3), 'a -> a')).toThrow(
      "rearrange 'a -> a': expected 1 dimensions, got [2 3]",
    )
    expect(() => rearrange(counting(7), '(a b) -> a b', { a: 2 })).toThrow(
      "rearrange '(a b) -> a b': expected 7 = (a=2 b=?), which does not divide evenly",
    )
    expect(() => rearrange(counting(8), '(a b c) -> a b c', { a: 2 })).toThrow(
      'expected 8 = (a=2 b=? c=?), which needs the sizes of all names but one',
    )
    expect(() => rearrange(counting(8), '(a b) -> a b', { a: 2, b: 3 })).toThrow('expected 8 = (a=2 b=3)')
    expect(() => rearrange(counting(8), 'a -> a', { a: 4 })).toThrow('expected 8 = (a=4)')
  })
})

describe('composites', () => {
  test('pixelUnshuffle puts pixel (2y + dy, 2x + dx) of channel c into channel 4c + 2dy + dx', () => {
    const y = pixelUnshuffle(counting(1, 2, 4, 6), 2)
    expect(y.shape).toEqual([1, 8, 2, 3])
    const values = valuesOf(y)
    for (const [c, dy, dx, row, column] of [
      [0, 0, 0, 0, 0],
      [1, 1, 0, 1, 2],
      [0, 1, 1, 0, 1],
      [1, 0, 1, 1, 1],
    ] as const) {
      const at = ((4 * c + 2 * dy + dx) * 2 + row) * 3 + column
      expect(values[at]).toBe((c * 4 + 2 * row + dy) * 6 + 2 * column + dx)
    }
  })

  test('inverseNorm is 1/‖x‖, and 1/eps for a vector of zeros', () => {
    const x = hostTensor(float32Data(Float32Array.of(3, 4, 0, 0), [2, 2]))
    const y = inverseNorm(x, 1)
    expect(y.shape).toEqual([2, 1])
    expect(valuesOf(y)[0]).toBeCloseTo(0.2, 6)
    expect(valuesOf(y)[1]! / 1e12).toBeCloseTo(1, 5)
  })
})
