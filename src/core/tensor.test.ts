import { describe, expect, expectTypeOf, test } from 'vitest'
import { trace } from '../onnx/tracer.ts'
import { float32Data, int64Data } from './data.ts'
import type { Dim } from './dims.ts'
import { RestoreError } from './errors.ts'
import { hostBackend, hostTensor } from './hostBackend.ts'
import { cat, run, Tensor } from './tensor.ts'

function filled(shape: readonly number[], key?: string): Tensor {
  const count = shape.reduce((n, size) => n * size, 1)
  const tensor = hostTensor(float32Data(new Float32Array(count).fill(1), shape))
  tensor.key = key
  return tensor
}

/** Op, attributes and shape that a method records on a traced input. */
function recorded(method: (x: Tensor) => Tensor, shape: readonly Dim[] = [2, 4, 6, 8]) {
  const { nodes } = trace([{ name: 'x', shape }], ({ x }) => ({ y: method(x ?? filled([])) }))
  return nodes.map(({ op, attrs, output }) => ({ op, attrs, shape: output.shape }))
}

describe('methods record one op with torch’s defaults', () => {
  const other = filled([8])
  const image = [2, 4, 6, 8]
  const cases: readonly (readonly [string, (x: Tensor) => Tensor, object, readonly number[]])[] = [
    ['add', (x) => x.add(other), {}, image],
    ['addScalar', (x) => x.add(3), { value: 3 }, image],
    ['sub', (x) => x.sub(other), {}, image],
    ['addScalar', (x) => x.sub(3), { value: -3 }, image],
    ['mul', (x) => x.mul(other), {}, image],
    ['mulScalar', (x) => x.mul(3), { value: 3 }, image],
    ['div', (x) => x.div(other), {}, image],
    ['mulScalar', (x) => x.div(4), { value: 0.25 }, image],
    ['maximum', (x) => x.maximum(other), {}, image],
    ['minimum', (x) => x.minimum(other), {}, image],
    ['powScalar', (x) => x.pow(2), { exponent: 2 }, image],
    ['clamp', (x) => x.clamp(0), { min: 0, max: Number.POSITIVE_INFINITY }, image],
    ['clamp', (x) => x.clamp(0, 1), { min: 0, max: 1 }, image],
    ['neg', (x) => x.neg(), {}, image],
    ['abs', (x) => x.abs(), {}, image],
    ['exp', (x) => x.exp(), {}, image],
    ['log', (x) => x.log(), {}, image],
    ['sqrt', (x) => x.sqrt(), {}, image],
    ['rsqrt', (x) => x.rsqrt(), {}, image],
    ['sin', (x) => x.sin(), {}, image],
    ['cos', (x) => x.cos(), {}, image],
    ['tanh', (x) => x.tanh(), {}, image],
    ['sigmoid', (x) => x.sigmoid(), {}, image],
    ['relu', (x) => x.relu(), {}, image],
    ['leakyRelu', (x) => x.leakyRelu(0.1), { negativeSlope: 0.1 }, image],
    ['silu', (x) => x.silu(), {}, image],
    ['gelu', (x) => x.gelu(), {}, image],
    ['cast', (x) => x.cast('float16'), { dtype: 'float16' }, image],
    ['matmul', (x) => x.matmul(filled([8, 3])), {}, [2, 4, 6, 3]],
    ['linear', (x) => x.linear(filled([5, 8])), {}, [2, 4, 6, 5]],
    [
      'conv2d',
      (x) => x.conv2d(filled([3, 4, 1, 1]), undefined),
      { stride: 1, padding: 0, groups: 1 },
      [2, 3, 6, 8],
    ],
    [
      'conv2d',
      (x) => x.conv2d(filled([4, 1, 3, 3]), filled([4]), { stride: 2, padding: 1, groups: 4 }),
      { stride: 2, padding: 1, groups: 4 },
      [2, 4, 3, 4],
    ],
    ['layerNorm', (x) => x.layerNorm(undefined, 1e-5), { eps: 1e-5 }, image],
    ['softmax', (x) => x.softmax(-1), { dim: 3 }, image],
    ['logSoftmax', (x) => x.logSoftmax(1), { dim: 1 }, image],
    ['sum', (x) => x.sum(), { dims: [0, 1, 2, 3], keepDim: false }, []],
    ['mean', (x) => x.mean([-1, 2], { keepDim: true }), { dims: [3, 2], keepDim: true }, [2, 4, 1, 1]],
    ['amax', (x) => x.amax([0]), { dims: [0], keepDim: false }, [4, 6, 8]],
    ['argmax', (x) => x.argmax(-3), { dim: 1, keepDim: false }, [2, 6, 8]],
    ['maxPool2d', (x) => x.maxPool2d(2), { kernel: 2, stride: 2, padding: 0 }, [2, 4, 3, 4]],
    [
      'avgPool2d',
      (x) => x.avgPool2d(3, { stride: 1, padding: 1 }),
      { kernel: 3, stride: 1, padding: 1 },
      image,
    ],
    ['pixelShuffle', (x) => x.pixelShuffle(2), { factor: 2 }, [2, 1, 12, 16]],
    ['upsampleNearest', (x) => x.upsampleNearest(2), { factor: 2 }, [2, 4, 12, 16]],
    ['upsampleBilinear', (x) => x.upsampleBilinear(2), { factor: 2 }, [2, 4, 12, 16]],
    ['reshape', (x) => x.reshape([8, -1]), { shape: [8, -1] }, [8, 48]],
    ['permute', (x) => x.permute([0, -1, 1, 2]), { dims: [0, 3, 1, 2] }, [2, 8, 4, 6]],
    ['permute', (x) => x.transpose(-1, 1), { dims: [0, 3, 2, 1] }, [2, 8, 6, 4]],
    ['expand', (x) => x.expand([3, 2, 4, 6, 8]), { shape: [3, 2, 4, 6, 8] }, [3, 2, 4, 6, 8]],
    ['slice', (x) => x.slice(1, 2), { dim: 1, start: 2, end: 4, step: 1 }, [2, 2, 6, 8]],
    ['slice', (x) => x.slice(-1, -3, -1), { dim: 3, start: 5, end: 7, step: 1 }, [2, 4, 6, 2]],
    ['slice', (x) => x.slice(2, 0, 6, 4), { dim: 2, start: 0, end: 6, step: 4 }, [2, 4, 2, 8]],
    ['cat', (x) => cat([x, x], -1), { dim: 3 }, [2, 4, 6, 16]],
    ['pad', (x) => x.pad([1, 2]), { padding: [1, 2], mode: 'constant', value: 0 }, [2, 4, 6, 11]],
    [
      'pad',
      (x) => x.pad([1, 1, 2, 2], 'reflect'),
      { padding: [1, 1, 2, 2], mode: 'reflect', value: 0 },
      [2, 4, 10, 10],
    ],
    ['gather', (x) => x.gather(-4, hostTensor(int64Data([0, 1], [2, 1, 1, 1]))), { dim: 0 }, [2, 1, 1, 1]],
  ]
  test.each(cases)('%s %s', (op, method, attrs, shape) => {
    expect(recorded(method)).toEqual([{ op, attrs, shape }])
  })

  test('embedding takes the weight as its first input', () => {
    const ids = hostTensor(int64Data([0, 2, 1], [3]))
    expect(recorded((weight) => weight.embedding(ids), [4, 5])).toEqual([
      { op: 'embedding', attrs: {}, shape: [3, 5] },
    ])
  })

  test('chunk is slices of equal length', () => {
    const nodes = recorded((x) => x.chunk(2, 1)[1])
    expect(nodes.map(({ attrs }) => attrs)).toEqual([
      { dim: 1, start: 0, end: 2, step: 1 },
      { dim: 1, start: 2, end: 4, step: 1 },
    ])
    expect(() => filled([2, 4]).chunk(3, 1)).toThrow('chunk: expected dimension 1 divisible by 3, got [2 4]')
  })
})

describe('axes', () => {
  test('returns sizes by name, typed from the pattern', () => {
    const { b, c, ...rest } = filled([2, 3, 4, 5]).axes('b c h w')
    expect([b, c, rest]).toEqual([2, 3, { h: 4, w: 5 }])
    const typed = filled([2, 3]).axes('heads d')
    expectTypeOf(typed).toExtend<{ readonly heads: Dim; readonly d: Dim }>()
    // @ts-expect-error: the pattern has no such name
    expect(typed.w).toBeUndefined()
  })

  test('rejects a wrong rank, with the key', () => {
    expect(() => filled([2, 3], 'patch_embed.proj.weight').axes('b c h w')).toThrow(
      'axes: expected a tensor [b c h w], got [2 3] (key patch_embed.proj.weight)',
    )
  })
})

describe('errors', () => {
  test('name the keys of an op’s weights', () => {
    const weight = filled([8, 3, 3, 3], 'encoder_level1.0.attn.qkv.weight')
    const failing = () => filled([1, 4, 8, 8]).conv2d(weight, undefined, { padding: 1 })
    expect(failing).toThrow(RestoreError)
    expect(failing).toThrow(
      'conv2d: expected a weight [o 4 k k] for an input [1 4 8 8] in 1 group(s), got [8 3 3 3] (key encoder_level1.0.attn.qkv.weight)',
    )
  })

  test('name a dimension that a tensor does not have', () => {
    const x = filled([2, 3], 'w')
    expect(() => x.softmax(2)).toThrow('softmax: expected a dimension of [2 3], got 2 (key w)')
    expect(() => x.softmax(-3)).toThrow('got -3')
    expect(() => x.size(2)).toThrow('size: expected a dimension')
    expect(() => x.mean([0, 4])).toThrow('mean: expected a dimension')
    expect(() => x.softmax(0.5)).toThrow('got 0.5')
  })

  test.each(['frob', 'toString'])('name an op that does not exist: %s', (name) => {
    const failing = () => trace([{ name: 'x', shape: [2] }], ({ x }) => ({ y: run(name as 'neg', [x!], {}) }))
    expect(failing).toThrow(RestoreError)
    expect(failing).toThrow(`${name}: expected an op listed in core/ops.ts, got an unknown one`)
  })

  test('report an op that host memory lacks, and the remedy', () => {
    expect(() => filled([2]).gelu()).toThrow(
      'gelu: tensors are in host memory; move the model and its input to libtorch, or trace it',
    )
  })
})

describe('a traced tensor', () => {
  const traced = (body: (x: Tensor) => Tensor) =>
    trace([{ name: 'x', shape: ['b', 3, 'h', 'w'] }], ({ x }) => ({ y: body(x ?? filled([])) }))

  test('takes precedence over eager tensors in any input position', () => {
    const weight = filled([3, 1, 1], 'scale')
    const { nodes } = traced((x) => weight.mul(x))
    expect(nodes[0]?.inputs.map(({ name }) => name)).toEqual(['scale', 'x'])
    expect(nodes[0]?.output.shape).toEqual(['b', 3, 'h', 'w'])
  })

  test('leaves ops on weights alone to their own backend', () => {
    const { nodes } = traced((x) => x.mul(filled([3, 1, 1]).add(1).sqrt()))
    expect(nodes.map(({ op }) => op)).toEqual(['mul'])
    expect(nodes[0]?.inputs[1]?.data?.shape).toEqual([3, 1, 1])
  })

  test('keeps one constant for a weight that is used twice', () => {
    const weight = filled([3, 1, 1])
    const { nodes } = traced((x) => x.mul(weight).add(weight))
    expect(nodes[0]?.inputs[1]).toBe(nodes[1]?.inputs[1])
  })

  test('cannot be read', () => {
    expect(() =>
      traced((x) => {
        x.read()
        return x
      }),
    ).toThrow('expected a tensor with values, got a traced one [b 3 h w]; a network cannot depend on values')
  })

  test('cannot be sliced, split or measured along a size known only at run time', () => {
    const message = (op: string) => `${op}: needs a fixed size, but 'w' is known only at run time`
    expect(() => traced((x) => x.slice(3, 0, 2))).toThrow(message('slice'))
    expect(() => traced((x) => x.slice(-1, 1))).toThrow(message('slice'))
    expect(() => traced((x) => x.chunk(2, 3)[0])).toThrow(message('chunk'))
    expect(() => traced((x) => x.mul(x.size(3)))).toThrow(message('size'))
  })

  test('does not record a cast to the dtype it has', () => {
    expect(traced((x) => x.cast('float32').neg()).nodes.map(({ op }) => op)).toEqual(['neg'])
  })

  test('cannot have a size of zero', () => {
    expect(() => trace([{ name: 'x', shape: [1, 0] }], ({ x }) => ({ y: x ?? filled([]) }))).toThrow(
      'input x: expected a size above zero, got [1 0]',
    )
  })
})

test('a tensor reports the dtype that its backend stores', () => {
  expect(hostTensor(int64Data([1], [1])).dtype).toBe('int64')
  expect(new Tensor(hostBackend, float32Data(new Float32Array(1), [1]), [1]).dtype).toBe('float32')
})
