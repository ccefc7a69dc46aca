import { describe, expect, test } from 'vitest'
import { loadAddon } from '../../native/load.ts'
import { libtorchMissing } from '../../test/libtorch.ts'
import { type DType, dtypeBytes, float32Data } from '../core/data.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'
import { Conv2d } from '../nn/conv.ts'
import { randomInit } from '../nn/init.ts'
import { autocast, backward, grad, moveToTorch, noGrad, scalar, scope, toTorch } from './backend.ts'

function floats(...values: number[]): Tensor {
  return toTorch(float32Data(Float32Array.from(values), [values.length]))
}

function valuesOf(tensor: Tensor | undefined): number[] {
  return tensor ? [...new Float32Array(new Uint8Array(tensor.read().bytes).buffer)] : []
}

function trainable(...values: number[]): Tensor {
  const holder = { x: hostTensor(float32Data(Float32Array.from(values), [values.length])) }
  holder.x.isTrainable = true
  moveToTorch(holder)
  return holder.x
}

const alive = () => loadAddon().liveTensors().count

describe.skipIf(libtorchMissing !== undefined)('libtorch tensors', () => {
  test('round-trip bytes, shape and dtype for every dtype', () => {
    for (const dtype of Object.keys(dtypeBytes) as DType[]) {
      const bytes = Uint8Array.from({ length: 3 * dtypeBytes[dtype] }, (_, i) =>
        dtype === 'bool' ? i % 2 : i,
      )
      expect(toTorch({ dtype, shape: [3, 1], bytes }).read(), dtype).toEqual({
        dtype,
        shape: [3, 1],
        bytes: expect.anything(),
      })
      expect([...toTorch({ dtype, shape: [3, 1], bytes }).read().bytes], dtype).toEqual([...bytes])
    }
  })

  test('do not share the memory they were copied from', () => {
    const values = Float32Array.of(1, 2)
    const x = toTorch(float32Data(values, [2]))
    values.fill(9)
    expect(valuesOf(x)).toEqual([1, 2])
  })

  test('are read contiguously, whatever their strides', () => {
    const x = toTorch(float32Data(Float32Array.of(0, 1, 2, 3, 4, 5), [2, 3]))
    expect(valuesOf(x.transpose(0, 1))).toEqual([0, 3, 1, 4, 2, 5])
    expect(valuesOf(x.slice(1, 1, 2))).toEqual([1, 4])
  })

  test('do not mix with weights left in host memory', () => {
    const weight = hostTensor(float32Data(Float32Array.of(1), [1]))
    weight.key = 'temperature'
    expect(() => floats(1, 2).mul(weight)).toThrow(
      'mul: expected tensors in libtorch, got [1] elsewhere; move it with toTorch (key temperature)',
    )
  })

  test('report libtorch errors with op and shapes, without the backtrace', () => {
    const x = floats(1, 2)
    const failing = () => x.gather(0, floats(0))
    expect(failing).toThrow(/^gather: libtorch rejected inputs \[2\], \[1\]: .*int64/)
    expect(failing).not.toThrow(/frame #|Exception raised from/)
  })

  test('too large for the memory are an error of that, which smaller tiles answer', () => {
    const side = 2 ** 22
    const of = (shape: readonly number[]) => toTorch(float32Data(new Float32Array(side), shape))
    expect(() => of([side, 1]).mul(of([1, side]))).toThrow(expect.objectContaining({ code: 'memory' }))
  })

  test('convert to a number from any float dtype', () => {
    expect(scalar(floats(1, 2).mean())).toBe(1.5)
    expect(scalar(floats(0.1).cast('float64').sum())).toBe(Math.fround(0.1))
    expect(scalar(floats(0.5).cast('bfloat16').sum())).toBe(0.5)
  })
})

describe.skipIf(libtorchMissing !== undefined)('scope', () => {
  test('frees tensors created inside and keeps those it returns', () => {
    const x = floats(1, 2, 3)
    const before = alive()
    const y = scope(() => x.mul(2).add(1).exp().log())
    expect(alive()).toBe(before + 1)
    valuesOf(y).forEach((value, i) => {
      expect(value).toBeCloseTo(2 * (i + 1) + 1, 5)
    })
  })

  test('nests: the result of an inner scope belongs to the outer one', () => {
    const x = floats(1, 2, 3)
    const before = alive()
    scope(() => {
      const kept = scope(() => ({ a: x.add(1), b: x.add(2) }))
      expect(valuesOf(kept.b)).toEqual([3, 4, 5])
      scope(() => [x.neg(), x.exp()])
      return undefined
    })
    expect(alive()).toBe(before)
  })

  test('frees when its body throws', () => {
    const x = floats(1)
    const before = alive()
    expect(() =>
      scope(() => {
        x.add(1)
        throw new Error('stop')
      }),
    ).toThrow('stop')
    expect(alive()).toBe(before)
  })

  test('does not free a tensor that an op returns unchanged', () => {
    const x = floats(1, 2)
    scope(() => {
      x.cast('float32')
      x.reshape([2])
      return undefined
    })
    expect(valuesOf(x)).toEqual([1, 2])
  })

  test('using a freed tensor is an error, not a crash', () => {
    let leaked: Tensor | undefined
    scope(() => {
      leaked = floats(1)
      return undefined
    })
    expect(() => leaked?.add(1)).toThrow(/freed|released/)
  })
})

describe.skipIf(libtorchMissing !== undefined)('gradients', () => {
  test('of chunks equal those of slices', () => {
    const gradientOf = (cut: (x: Tensor) => readonly Tensor[]) => {
      const x = trainable(1, 2, 3, 4, 5, 6)
      const [a, b, c] = cut(x.reshape([2, 3])) as [Tensor, Tensor, Tensor]
      backward(a.mul(b).add(c.mul(3)).mul(a).sum())
      return valuesOf(grad(x))
    }
    const slices = gradientOf((x) => [0, 1, 2].map((i) => x.slice(1, i, i + 1)))
    // Gradient of a²b + 3ac.
    expect(slices).toEqual([13, 1, 3, 58, 16, 12])
    expect(gradientOf((x) => x.chunk(3, -1))).toEqual(slices)
    expect(() => trainable(1, 2, 3, 4).chunk(3, 0)).toThrow('chunk: expected dimension 0 divisible by 3')
  })

  test('accumulate in trainable tensors', () => {
    const x = trainable(1, -2, 3)
    expect(grad(x)).toBeUndefined()
    backward(x.mul(x).sum())
    expect(valuesOf(grad(x))).toEqual([2, -4, 6])
    backward(x.mul(x).sum())
    expect(valuesOf(grad(x))).toEqual([4, -8, 12])
  })

  test('survive the end of a scope', () => {
    const x = trainable(1, 2)
    scope(() => {
      backward(x.exp().sum())
      return undefined
    })
    expect(valuesOf(grad(x))[1]).toBeCloseTo(Math.E ** 2, 4)
  })

  test('are not recorded within noGrad, and recorded again after it', () => {
    const x = trainable(1, 2)
    const y = noGrad(() => x.mul(2).sum())
    expect(() => backward(y)).toThrow()
    expect(() =>
      noGrad(() => {
        throw new Error('stop')
      }),
    ).toThrow('stop')
    backward(x.mul(2).sum())
    expect(valuesOf(grad(x))).toEqual([2, 2])
  })

  test('are finite for the inverse norm of a vector of zeros', async () => {
    const { inverseNorm } = await import('../core/functional.ts')
    const x = trainable(0, 0, 0)
    backward(x.mul(inverseNorm(x, 0)).sum())
    expect(valuesOf(grad(x)).every(Number.isFinite)).toBe(true)
  })

  test('are recorded for parameters but not for buffers of a module moved to libtorch', () => {
    const init = randomInit(() => 0.75)
    const module = { conv: new Conv2d(init, 1, 1, { kernel: 1, bias: false }), mean: init.buffer([1], 2) }
    moveToTorch(module)
    const x = toTorch(float32Data(Float32Array.of(3), [1, 1, 1, 1]))
    backward(module.conv.forward(x).mul(module.mean).sum())
    expect(valuesOf(grad(module.conv.weight))).toEqual([6])
    expect(grad(module.mean)).toBeUndefined()
    expect(module.conv.weight.key).toBe('conv.weight')
  })
})

test.skipIf(libtorchMissing !== undefined)(
  'autocast computes products in half precision and keeps weights in float32',
  () => {
    const weight = toTorch(float32Data(Float32Array.of(1, 2, 3, 4), [2, 2]))
    const product = autocast('cpu', 'bfloat16', () => weight.matmul(weight))
    expect(product.dtype).toBe('bfloat16')
    expect(weight.dtype).toBe('float32')
    expect(weight.matmul(weight).dtype).toBe('float32')
  },
)
