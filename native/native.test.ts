// The addon against hand-computed numbers: boxed calls, bytes, lifetime, gradients, autocast, generators.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DType } from '../src/core/data.ts'
import { libtorchMissing } from '../test/libtorch.ts'
import type { Addon, Argument, Handle, Result } from './addon.ts'
import { loadAddon } from './load.ts'

let addon: Addon

const call = <R extends Result = Handle>(name: string, ...args: Argument[]): R => {
  const [operator = '', overload = ''] = name.split('.')
  return addon.call(addon.resolve(`aten::${operator}`, overload), ...args) as R
}

const bytesOf = (values: ArrayBufferView) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
const float = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  addon.fromBytes(bytesOf(Float32Array.from(values)), shape, 'float32', 'cpu')
const long = (values: readonly number[]) =>
  addon.fromBytes(bytesOf(BigInt64Array.from(values, BigInt)), [values.length], 'int64', 'cpu')
const floats = (tensor: Handle | null) => [...new Float32Array(addon.toBytes(tensor!).buffer)]
const longs = (tensor: Handle) => [...new BigInt64Array(addon.toBytes(tensor).buffer)].map(Number)

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  for (let round = 0; round < 5; round++) {
    gc()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe.skipIf(libtorchMissing !== undefined)('the libtorch addon', () => {
  beforeEach(() => {
    addon = loadAddon()
    addon.scopeBegin()
  })
  afterEach(() => addon.scopeEnd([]))

  describe('boxed calls', () => {
    it('fill missing arguments with the defaults of the schema', () => {
      const x = float([1, 2])
      expect(floats(call('add.Tensor', x, x))).toEqual([2, 4])
      expect(floats(call('add.Tensor', x, x, 10))).toEqual([11, 22])
      expect(floats(call('add.Tensor', x, x, undefined as never))).toEqual([2, 4])
    })

    it('accept one number for a list of fixed size', () => {
      const x = float([1, 2, 3, 4], [1, 1, 2, 2])
      expect(floats(call('avg_pool2d', x, 2))).toEqual([2.5])
      expect(floats(call('avg_pool2d', x, [1, 2]))).toEqual([1.5, 3.5])
    })

    it('accept lists of tensors and return several results as an array', () => {
      const x = call('cat', [float([1, 2]), float([3, 4])])
      expect(floats(x)).toEqual([1, 2, 3, 4])
      const [head, tail] = call<Handle[]>('split.Tensor', x, 3)
      expect([floats(head!), floats(tail!)]).toEqual([[1, 2, 3], [4]])
      const [values, indices] = call<Handle[]>('max.dim', float([5, 7, 6, 1], [2, 2]), 1)
      expect([floats(values!), longs(indices!)]).toEqual([
        [7, 6],
        [1, 0],
      ])
    })

    it('accept null in a list of optional tensors', () => {
      const x = float([1, 2, 3, 4, 5, 6], [2, 3])
      expect(floats(call('index.Tensor', x, [null, long([2, 0])]))).toEqual([3, 1, 6, 4])
    })

    it('accept strings, null for None, booleans and names of dtypes, devices and memory formats', () => {
      expect(floats(call('div.Tensor_mode', float([7]), float([2]), 'floor'))).toEqual([3])
      expect(floats(call('div.Tensor_mode', float([7]), float([2]), null))).toEqual([3.5])
      expect(floats(call('sum.dim_IntList', float([1, 2, 3, 4], [2, 2]), [1], true))).toEqual([3, 7])
      expect(addon.dtype(call('to.dtype', float([1]), 'bfloat16'))).toBe('bfloat16')
      expect(addon.dtype(call('to.dtype', float([1]), 7))).toBe('float64')
      expect(addon.shape(call('zeros', [2, 3], 'int32', null, 'cpu', false))).toEqual([2, 3])
      const nhwc = call('contiguous', call('zeros', [1, 2, 3, 4]), 'channels_last')
      expect(call<number>('stride.int', nhwc, 1)).toBe(1)
    })

    it('read an integer as an integer scalar and any other number as a float', () => {
      expect(addon.dtype(call('mul.Scalar', long([1, 2]), 2))).toBe('int64')
      expect(addon.dtype(call('mul.Scalar', long([1, 2]), 2.5))).toBe('float32')
      expect(longs(call('full', [1], 2n ** 60n, 'int64'))).toEqual([2 ** 60])
      expect(Object.is(floats(call('mul.Scalar', float([1]), -0))[0], -0)).toBe(true)
    })

    it('accept lists of scalars, floats and booleans, and return null for results not requested', () => {
      const [a, b] = call<Handle[]>('_foreach_mul.ScalarList', [float([1]), float([2])], [3, 0.5])
      expect([floats(a!), floats(b!)]).toEqual([[3], [1]])
      const x = float([1, 2], [1, 1, 1, 2])
      expect(floats(call('upsample_nearest2d.vec', x, null, [1, 2]))).toEqual([1, 1, 2, 2])
      const [y, mean, rstd] = call<Handle[]>('native_layer_norm', float([1, 2]), [2], null, null, 1e-5)
      const grads = call<Result[]>(
        'native_layer_norm_backward',
        ...[y!, float([1, 2]), [2], mean!, rstd!, float([1, 1]), null, [false, true, false]],
      )
      expect(grads.map((grad) => grad === null)).toEqual([true, false, true])
    })

    it('return plain values, and work in place', () => {
      expect(call<number>('_local_scalar_dense', float([2.5]))).toBe(2.5)
      expect(call<boolean>('equal', float([1]), float([1]))).toBe(true)
      const x = float([1])
      call('add_.Scalar', x, 2)
      expect(floats(x)).toEqual([3])
    })

    it('report operator, argument, expected type and value on a mismatch', () => {
      const x = float([1, 1])
      const cases: [() => unknown, string][] = [
        [() => call('add.Tensor', x), "aten::add.Tensor: argument 'other': expected Tensor, got nothing"],
        [() => call('add.Tensor', x, 'a'), "aten::add.Tensor: argument 'other': expected Tensor, got 'a'"],
        [() => call('conv2d', x, null), "aten::conv2d: argument 'weight': expected Tensor, got null"],
        [() => call('conv2d', x, x, null, [1, 1.5]), 'got an array with 1.5 at index 1'],
        [() => call('sum', x, 'float'), "argument 'dtype': unknown dtype 'float', expected one of float32,"],
        [() => call('relu', x, x), 'aten::relu: expected at most 1 arguments, got 2'],
        [() => call('nonsense'), "has no operator 'aten::nonsense'"],
        [() => call('zeros', [1], null, null, 'gpu'), "aten::zeros: argument 'device': "],
        [() => addon.call(-1), 'expected an operator id from resolve'],
      ]
      for (const [run, message] of cases) expect(run).toThrow(message)
    })

    it("throw libtorch's message without its backtrace, and keep working", () => {
      let message = ''
      try {
        call('mm', float([1, 2], [1, 2]), float([1, 2], [1, 2]))
      } catch (error) {
        message = (error as Error).message
      }
      expect(message).toBe('mat1 and mat2 shapes cannot be multiplied (1x2 and 1x2)')
      expect(floats(call('neg', float([1])))).toEqual([-1])
    })
  })

  describe('bytes', () => {
    const sizes: Record<DType, number> = {
      float64: 8,
      float32: 4,
      float16: 2,
      bfloat16: 2,
      float8_e4m3fn: 1,
      float8_e5m2: 1,
      bool: 1,
      int64: 8,
      int32: 4,
      int16: 2,
      int8: 1,
      uint64: 8,
      uint32: 4,
      uint16: 2,
      uint8: 1,
    }
    const dtypes = Object.keys(sizes) as DType[]

    it.each(dtypes)('of %s round-trip at any offset, also for 0-d and empty shapes', (dtype) => {
      for (const shape of [[2, 3], [], [0, 3]]) {
        const length = shape.reduce((a, b) => a * b, 1) * sizes[dtype]
        const padded = Uint8Array.from({ length: length + 1 }, (_, i) =>
          dtype === 'bool' ? i % 2 : (i * 37) % 251,
        )
        const bytes = padded.subarray(1)
        const tensor = addon.fromBytes(bytes, shape, dtype, 'cpu')
        expect(addon.toBytes(tensor)).toEqual(Uint8Array.from(bytes))
        expect([addon.shape(tensor), addon.dtype(tensor), addon.device(tensor)]).toEqual([
          shape,
          dtype,
          'cpu',
        ])
      }
    })

    it('of a transposed tensor are read in its order', () => {
      expect(floats(call('t', float([1, 2, 3, 4, 5, 6], [2, 3])))).toEqual([1, 4, 2, 5, 3, 6])
    })

    it('are copied in both directions', () => {
      const values = Float32Array.of(1, 2)
      const tensor = addon.fromBytes(bytesOf(values), [2], 'float32', 'cpu')
      values[0] = 9
      addon.toBytes(tensor).fill(0)
      expect(floats(tensor)).toEqual([1, 2])
    })

    it('are rejected if their number does not match the shape', () => {
      expect(() => addon.fromBytes(new Uint8Array(7), [2], 'float32', 'cpu')).toThrow(
        'expected 8 bytes, got 7',
      )
      expect(() => addon.fromBytes(new Float32Array(2) as never, [2], 'float32', 'cpu')).toThrow('Uint8Array')
    })
  })

  describe('lifetime', () => {
    it('ends with the scope, except for kept tensors, which pass to the enclosing scope', () => {
      const before = addon.liveTensors()
      addon.scopeBegin()
      const kept = float([1, 2])
      const lost = float([3])
      expect(addon.liveTensors()).toEqual({ count: before.count + 2, bytes: before.bytes + 12 })
      addon.scopeEnd([kept])
      expect(addon.liveTensors()).toEqual({ count: before.count + 1, bytes: before.bytes + 8 })
      expect(floats(kept)).toEqual([1, 2])
      expect(() => addon.shape(lost)).toThrow('tensor was freed')
      expect(() => call('neg', lost)).toThrow("aten::neg: argument 'self': tensor was freed")
    })

    it('ends with release, for this handle but not for aliases', () => {
      const x = float([1, 2])
      const alias = call('detach', x)
      addon.release(x)
      addon.release(x)
      expect(() => addon.toBytes(x)).toThrow('tensor was freed')
      expect(floats(alias)).toEqual([1, 2])
    })

    it('of a freed handle does not resume when its slot is reused', () => {
      const old = float([1])
      addon.release(old)
      const young = float([2])
      expect(() => addon.shape(old)).toThrow('tensor was freed')
      addon.release(old)
      expect(floats(young)).toEqual([2])
    })

    it('counts a storage once, however many handles share it', () => {
      const { bytes } = addon.liveTensors()
      const x = float([1, 2, 3, 4])
      const views = [call('detach', x), call('narrow', x, 0, 1, 2)]
      expect(addon.liveTensors().bytes).toBe(bytes + 16)
      for (const view of [...views, x]) addon.release(view)
      expect(addon.liveTensors().bytes).toBe(bytes)
    })

    it('ends by garbage collection outside of scopes, also for kept tensors', async () => {
      addon.scopeEnd([])
      try {
        await collectGarbage()
        const before = addon.liveTensors()
        const make = () => {
          addon.scopeBegin()
          addon.scopeEnd([float([1, 2])])
          float([3])
        }
        make()
        expect(addon.liveTensors().count).toBe(before.count + 2)
        await collectGarbage()
        expect(addon.liveTensors()).toEqual(before)
      } finally {
        addon.scopeBegin()
      }
    })

    it('keeps memory flat over 10,000 operations', () => {
      const x = call('zeros', [1024, 64])
      const before = addon.liveTensors()
      const round = (count: number) => {
        for (let i = 0; i < count; i++) {
          addon.scopeBegin()
          call('add.Tensor', x, x)
          addon.scopeEnd([])
        }
      }
      round(1000)
      const { rss } = process.memoryUsage()
      round(9000)
      expect(addon.liveTensors()).toEqual(before)
      expect(process.memoryUsage().rss - rss).toBeLessThan(100 * 2 ** 20)
    })

    it('rejects scopeEnd without scopeBegin', () => {
      addon.scopeEnd([])
      try {
        expect(() => addon.scopeEnd([])).toThrow('scopeEnd without scopeBegin')
      } finally {
        addon.scopeBegin()
      }
    })
  })

  describe('gradients', () => {
    const parameter = (values: readonly number[]) => {
      const tensor = float(values)
      addon.setRequiresGrad(tensor, true)
      return tensor
    }
    // loss = sum((x w)^2), so dloss/dx = 2 x w^2 and dloss/dw = 2 w x^2
    const lossOf = (x: Handle, w: Handle) => call('sum', call('square', call('mul.Tensor', x, w)))

    it('equal hand-computed ones, and accumulate', () => {
      const x = parameter([1, 2])
      const w = parameter([3, 4])
      expect(addon.grad(x)).toBe(null)
      addon.backward(lossOf(x, w))
      expect([floats(addon.grad(x)), floats(addon.grad(w))]).toEqual([
        [18, 64],
        [6, 32],
      ])
      addon.backward(lossOf(x, w))
      expect(floats(addon.grad(x))).toEqual([36, 128])
      addon.setGrad(x, null)
      expect(addon.grad(x)).toBe(null)
      addon.setGrad(x, float([7, 7]))
      addon.backward(lossOf(x, w))
      expect(floats(addon.grad(x))).toEqual([25, 71])
    })

    it('are not recorded while turned off', () => {
      const x = parameter([1])
      expect(addon.setGradEnabled(false)).toBe(true)
      try {
        expect(addon.requiresGrad(call('neg', x))).toBe(false)
      } finally {
        expect(addon.setGradEnabled(true)).toBe(false)
      }
      expect(addon.requiresGrad(call('neg', x))).toBe(true)
    })

    it('are refused if there is nothing to differentiate', () => {
      expect(() => addon.backward(float([1]))).toThrow('does not require grad')
      expect(() => addon.backward(parameter([1, 2]))).toThrow('scalar outputs')
    })
  })

  it('computes in bfloat16 under autocast, and uses changed weights once the cache is cleared', () => {
    const x = float([1, 2], [1, 2])
    const w = float([3, 4], [2, 1])
    addon.setRequiresGrad(w, true)
    expect(addon.setAutocast('cpu', 'bfloat16')).toBe(null)
    try {
      expect(addon.dtype(call('mm', x, w))).toBe('bfloat16')
      addon.setGradEnabled(false)
      call('mul_.Scalar', w, 2)
      addon.setGradEnabled(true)
      addon.clearAutocastCache()
      expect(floats(call('to.dtype', call('mm', x, w), 'float32'))).toEqual([22])
    } finally {
      expect(addon.setAutocast('cpu', null)).toBe('bfloat16')
    }
    expect(addon.dtype(call('mm', x, w))).toBe('float32')
  })

  it('draws the same numbers from a generator with the same seed or state', () => {
    const generator = addon.createGenerator('cpu', 2n ** 64n - 1n)
    const draw = (from: Argument) => floats(call('randn.generator', [3], from))
    const state = addon.generatorState(generator)
    const first = draw(generator)
    expect(draw(generator)).not.toEqual(first)
    expect(draw(addon.createGenerator('cpu', 2n ** 64n - 1n))).toEqual(first)
    addon.setGeneratorState(generator, state)
    expect(draw(generator)).toEqual(first)
    expect(() => addon.setGeneratorState(generator, state.subarray(1))).toThrow(
      `expected ${state.length} bytes`,
    )
    expect(() => addon.createGenerator('cpu', -1n)).toThrow('expected a seed')
  })

  it('sets the number of threads', () => {
    const before = addon.threads()
    addon.setThreads(1)
    expect(addon.threads()).toBe(1)
    addon.setThreads(before)
    expect(() => addon.setThreads(0)).toThrow('at least one')
  })

  it('waits for a device and describes CUDA devices', async () => {
    await expect(addon.synchronize('cpu')).resolves.toBeUndefined()
    const devices = addon.cudaDevices()
    for (const { name, totalBytes } of devices)
      expect([name.length > 0, totalBytes > 2 ** 30]).toEqual([true, true])
    if (devices.length > 0) return
    await expect(addon.synchronize('cuda:0')).rejects.toThrow('no CUDA')
  })

  it.skipIf(libtorchMissing !== undefined || loadAddon().cudaDevices().length === 0)(
    'moves tensors to CUDA and back, computes and draws there',
    async () => {
      const x = addon.fromBytes(bytesOf(Float32Array.of(1, 2, 3, 4)), [2, 2], 'float32', 'cuda:0')
      expect(addon.device(x)).toBe('cuda:0')
      expect(floats(call('t', call('add.Tensor', x, x)))).toEqual([2, 6, 4, 8])
      const draw = () => {
        const generator = addon.createGenerator('cuda:0', 1n)
        return floats(call('randn.generator', [3], generator, null, null, 'cuda:0'))
      }
      expect(draw()).toEqual(draw())
      addon.setRequiresGrad(x, true)
      addon.backward(call('sum', call('square', x)))
      expect(floats(addon.grad(x))).toEqual([2, 4, 6, 8])
      addon.setAutocast('cuda', 'float16')
      expect(addon.dtype(call('mm', x, x))).toBe('float16')
      addon.setAutocast('cuda', null)
      await addon.synchronize('cuda:0')
    },
  )
})
