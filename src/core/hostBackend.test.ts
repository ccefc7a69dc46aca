import { describe, expect, test } from 'vitest'
import { float32Data, int64Data } from './data.ts'
import { hostData, hostTensor, isHostOp } from './hostBackend.ts'
import { cat, type Tensor } from './tensor.ts'

/** Distinct values of both signs. */
function waves(...shape: number[]): Tensor {
  const count = shape.reduce((n, size) => n * size, 1)
  return hostTensor(
    float32Data(
      Float32Array.from({ length: count }, (_, i) => Math.sin(i + 0.5) * 2),
      shape,
    ),
  )
}

function valuesOf(tensor: Tensor): Float32Array {
  const { bytes } = tensor.read()
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

function sizes(tensor: Tensor): readonly number[] {
  return hostData(tensor).shape
}

/** Every index of a shape, with the last dimension varying fastest. */
function* indices(shape: readonly number[]): Generator<number[]> {
  const count = shape.reduce((n, size) => n * size, 1)
  for (let flat = 0; flat < count; flat++) {
    const index: number[] = []
    for (let rest = flat, i = shape.length - 1; i >= 0; i--) {
      index.unshift(rest % shape[i]!)
      rest = Math.floor(rest / shape[i]!)
    }
    yield index
  }
}

/** Element at a broadcast index. */
function element(tensor: Tensor, index: readonly number[]): number {
  const shape = sizes(tensor)
  const own = index.slice(index.length - shape.length)
  const at = shape.reduce((flat, size, i) => flat * size + (size === 1 ? 0 : own[i]!), 0)
  return valuesOf(tensor)[at]!
}

describe('elementwise ops', () => {
  test.each([
    [
      [2, 3, 4],
      [2, 3, 4],
    ],
    [
      [2, 3, 4],
      [3, 1],
    ],
    [
      [3, 1],
      [2, 1, 5],
    ],
    [
      [4, 1, 1],
      [1, 1, 1],
    ],
    [
      [6, 4, 1, 1],
      [1, 4, 1, 1],
    ],
    [[], [2, 3]],
    [[5], []],
    [[], []],
    [
      [2, 1, 3, 1, 2],
      [4, 1, 3, 1],
    ],
    [[2, 0], [1]],
  ])('%j and %j broadcast like plain loops', (left, right) => {
    const a = waves(...left)
    const b = waves(...right)
      .mul(0.7)
      .add(0.1)
    for (const [name, combine] of [
      ['add', (x: number, y: number) => x + y],
      ['sub', (x: number, y: number) => x - y],
      ['mul', (x: number, y: number) => x * y],
      ['div', (x: number, y: number) => x / y],
    ] as const) {
      const out = a[name](b)
      const expected = [...indices(sizes(out))].map((index) =>
        Math.fround(combine(element(a, index), element(b, index))),
      )
      expect([...valuesOf(out)], name).toEqual(expected)
    }
  })
})

test('matmul broadcasts over batches like plain loops', () => {
  const a = waves(2, 1, 3, 4)
  const b = waves(5, 4, 2)
  const out = a.matmul(b)
  expect(out.shape).toEqual([2, 5, 3, 2])
  for (const [i, [g, h, n, m]] of [...indices([2, 5, 3, 2])].entries()) {
    let sum = 0
    for (let k = 0; k < 4; k++) sum += element(a, [g!, 0, n!, k]) * element(b, [h!, k, m!])
    expect(valuesOf(out)[i]).toBeCloseTo(sum, 5)
  }
})

test.each([[[0]], [[1]], [[2]], [[0, 2]], [[1, 2]], [[0, 1, 2]]])(
  'sums over dimensions %j equal plain loops',
  (dims) => {
    const x = waves(2, 3, 4)
    const kept = x.sum(dims, { keepDim: true })
    const expected = new Float64Array(valuesOf(kept).length)
    const places = [...indices(sizes(kept))].map((index) => index.join())
    for (const index of indices([2, 3, 4])) {
      const place = index.map((value, i) => (dims.includes(i) ? 0 : value)).join()
      expected[places.indexOf(place)]! += element(x, index)
    }
    expect([...valuesOf(kept)]).toEqual([...Float32Array.from(expected)])
    expect([...valuesOf(x.sum(dims))]).toEqual([...valuesOf(kept)])
    const count = 24 / expected.length
    valuesOf(x.mean(dims)).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]! / count, 6)
    })
  },
)

test('a sum of many small values keeps its precision', () => {
  const x = hostTensor(float32Data(new Float32Array(1_000_000).fill(0.1), [1_000_000]))
  expect(valuesOf(x.sum())[0]).toBe(Math.fround(Math.fround(0.1) * 1_000_000))
})

test('slice, permute and cat move the right elements', () => {
  const x = waves(3, 4, 5)
  const moved = x.slice(1, 1, 4, 2).permute([2, 0, 1])
  expect(moved.shape).toEqual([5, 3, 2])
  for (const [i, [c, a, b]] of [...indices([5, 3, 2])].entries())
    expect(valuesOf(moved)[i]).toBe(element(x, [a!, 1 + 2 * b!, c!]))
  const joined = cat([x.slice(1, 0, 1), x.slice(1, 1)], 1)
  expect([...valuesOf(joined)]).toEqual([...valuesOf(x)])
})

test('operations leave their inputs unchanged', () => {
  const x = waves(2, 3)
  const before = [...valuesOf(x)]
  x.add(1).mul(x).sum()
  x.reshape([3, 2]).clamp(0, 1)
  expect([...valuesOf(x)]).toEqual(before)
})

test('unaligned bytes of a file can be computed on', () => {
  const bytes = Buffer.concat([Buffer.of(0), Buffer.from(Float32Array.of(1.5, -2).buffer)]).subarray(1)
  const unaligned = Buffer.from(new ArrayBuffer(16), 1, 8)
  bytes.copy(unaligned)
  expect([...valuesOf(hostTensor({ dtype: 'float32', shape: [2], bytes: unaligned }).mul(2))]).toEqual([
    3, -4,
  ])
})

test('other dtypes and unloaded weights are rejected', () => {
  expect(() => hostTensor(int64Data([1, 2], [2])).add(1)).toThrow(
    'addScalar: expected float32 in host memory, got int64; cast it first',
  )
  const empty = hostTensor({ dtype: 'float32', shape: [2, 3], bytes: new Uint8Array(0) })
  empty.key = 'output.weight'
  expect(() => empty.mul(2)).toThrow(
    "tensor [2 3]: expected values, got none; load the network's weights first (key output.weight)",
  )
})

test('float32Data rejects a wrong number of values', () => {
  expect(() => float32Data(new Float32Array(5), [2, 3])).toThrow(
    'float32Data: expected 6 values for [2,3], got 5',
  )
})

test('isHostOp tells which ops host memory can compute', () => {
  expect(isHostOp('mul')).toBe(true)
  expect(isHostOp('conv2d')).toBe(false)
})
