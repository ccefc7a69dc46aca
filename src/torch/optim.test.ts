import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../test/libtorch.ts'
import { float32Data } from '../core/data.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'
import { parameters } from '../nn/module.ts'
import { backward, grad, moveToTorch, scalar, toTorch } from './backend.ts'
import { adam, adamW, assign, clipEachGradNorm, clipGradNorm, lion, type Optimizer, sgd } from './optim.ts'

interface Pair {
  readonly a: Tensor
  readonly b: Tensor
}

function pair(a: readonly number[], b: readonly number[]): Pair {
  const leaf = (values: readonly number[]) => {
    const tensor = hostTensor(float32Data(Float32Array.from(values), [values.length]))
    tensor.isTrainable = true
    return tensor
  }
  const module = { a: leaf(a), b: leaf(b) }
  moveToTorch(module)
  return module
}

function valuesOf(tensor: Tensor | undefined): number[] {
  return tensor ? [...new Float32Array(new Uint8Array(tensor.read().bytes).buffer)] : []
}

/** AdamW by its formulas, in double precision, for the loss Σ w x² / 2. */
function closedForm(
  start: number,
  steps: number,
  options: { rate: number; decay: number; w: number },
): number {
  const beta1 = 0.9
  const beta2 = 0.999
  const eps = 1e-8
  let x = start
  let m = 0
  let v = 0
  for (let t = 1; t <= steps; t++) {
    const g = options.w * x
    x *= 1 - options.rate * options.decay
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    x -= (options.rate * (m / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - beta2 ** t)) + eps)
  }
  return x
}

describe.skipIf(libtorchMissing !== undefined)('adamW', () => {
  test('follows its formulas, with weight decay on every parameter', () => {
    const module = pair([1, -2, 0.5], [3])
    const weights = toTorch(float32Data(Float32Array.of(1, 4, 0.1), [3]))
    const optimizer = adamW(parameters(module), { weightDecay: 0.1 })
    for (let step = 0; step < 20; step++) {
      optimizer.zeroGrad()
      const { a, b } = module
      backward(a.mul(a).mul(weights).sum().add(b.mul(b).sum()).mul(0.5))
      optimizer.step(0.05)
    }
    const expected = [
      [1, 1],
      [-2, 4],
      [0.5, 0.1],
    ].map(([x, w]) => closedForm(x!, 20, { rate: 0.05, decay: 0.1, w: Math.fround(w!) }))
    valuesOf(module.a).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 5)
    })
    expect(valuesOf(module.b)[0]).toBeCloseTo(closedForm(3, 20, { rate: 0.05, decay: 0.1, w: 1 }), 5)
  })

  test('skips parameters without a gradient', () => {
    const module = pair([1], [3])
    const optimizer = adamW(parameters(module), { weightDecay: 0.5 })
    backward(module.a.sum())
    optimizer.step(0.1)
    expect(valuesOf(module.b)).toEqual([3])
    expect(valuesOf(module.a)[0]).toBeLessThan(0.96)
  })

  test('zeroGrad clears gradients', () => {
    const module = pair([1], [3])
    const optimizer = adamW(parameters(module))
    backward(module.a.sum())
    expect(grad(module.a)).toBeDefined()
    optimizer.zeroGrad()
    expect(grad(module.a)).toBeUndefined()
  })
})

describe.skipIf(libtorchMissing !== undefined)('clipGradNorm', () => {
  test('scales all gradients by one factor, to a joint norm of the maximum', () => {
    const module = pair([3, 0], [4])
    backward(module.a.mul(module.a).sum().add(module.b.mul(module.b).sum()).mul(0.5))
    expect(scalar(clipGradNorm(parameters(module), 1))).toBeCloseTo(5, 6)
    const clipped = [...valuesOf(grad(module.a)), ...valuesOf(grad(module.b))]
    clipped.forEach((value, i) => {
      expect(value).toBeCloseTo([0.6, 0, 0.8][i]!, 5)
    })
  })

  test('keeps gradients below the maximum', () => {
    const module = pair([3, 0], [4])
    backward(module.a.sum().mul(0.01))
    clipGradNorm(parameters(module), 1)
    expect(valuesOf(grad(module.a))).toEqual([Math.fround(0.01), Math.fround(0.01)])
  })
})

/** Takes ten steps on the loss x² / 2 from x = 1, at rate 0.1. */
function descend(optimizerOf: (weights: ReadonlyMap<string, Tensor>) => Optimizer): number {
  const module = pair([1], [0])
  const optimizer = optimizerOf(parameters(module))
  for (let step = 0; step < 10; step++) {
    optimizer.zeroGrad()
    backward(module.a.mul(module.a).sum().mul(0.5))
    optimizer.step(0.1)
  }
  return valuesOf(module.a)[0] ?? Number.NaN
}

describe.skipIf(libtorchMissing !== undefined)('the other optimizers', () => {
  test('adam adds weight decay to the gradient', () => {
    let x = 1
    let m = 0
    let v = 0
    for (let t = 1; t <= 10; t++) {
      const g = x + 0.1 * x
      m = 0.9 * m + 0.1 * g
      v = 0.999 * v + 0.001 * g * g
      x -= (0.1 * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
    }
    expect(descend((weights) => adam(weights, { weightDecay: 0.1 }))).toBeCloseTo(x, 5)
  })

  test('sgd follows its formula with and without momentum', () => {
    let x = 1
    let m = 0
    for (let t = 0; t < 10; t++) {
      m = 0.9 * m + x
      x -= 0.1 * m
    }
    expect(descend((weights) => sgd(weights, { momentum: 0.9 }))).toBeCloseTo(x, 5)
    expect(descend((weights) => sgd(weights))).toBeCloseTo(0.9 ** 10, 5)
  })

  test('lion moves by the sign of the interpolated momentum', () => {
    let x = 1
    let m = 0
    for (let t = 0; t < 10; t++) {
      const update = Math.sign(0.9 * m + 0.1 * x)
      x = x * (1 - 0.1 * 0.5) - 0.1 * update
      m = 0.99 * m + (0.01 * (x + 0.1 * update)) / (1 - 0.05)
    }
    expect(descend((weights) => lion(weights, { weightDecay: 0.5 }))).toBeCloseTo(x, 4)
  })

  test('adamW decays only the selected parameters', () => {
    const module = pair([1], [1])
    const optimizer = adamW(parameters(module), { weightDecay: 1, decays: (key) => key === 'a' })
    backward(module.a.sum().mul(0).add(module.b.sum().mul(0)))
    optimizer.step(0.5)
    expect([...valuesOf(module.a), ...valuesOf(module.b)]).toEqual([0.5, 1])
    expect([...optimizer.state().keys()].filter((key) => key.endsWith('.step'))).toEqual(['a.step', 'b.step'])
  })

  test('an optimizer continues from a restored state as if it had not stopped', () => {
    const run = (optimizer: Optimizer, module: Pair, count: number) => {
      for (let step = 0; step < count; step++) {
        optimizer.zeroGrad()
        backward(module.a.mul(module.a).sum())
        optimizer.step(0.1)
      }
    }
    const whole = pair([1, 2], [0])
    const first = adamW(parameters(whole))
    run(first, whole, 3)
    const later = pair(valuesOf(whole.a), [0])
    const second = adamW(parameters(later))
    for (const [key, tensor] of second.state()) assign(tensor, first.state().get(key) as Tensor)
    run(first, whole, 3)
    run(second, later, 3)
    expect(valuesOf(later.a)).toEqual(valuesOf(whole.a))
  })
})

describe.skipIf(libtorchMissing !== undefined)('clipEachGradNorm', () => {
  test('scales each gradient above the maximum separately', () => {
    const module = pair([3, 4], [0.5])
    backward(module.a.mul(module.a).sum().add(module.b.mul(module.b).sum()).mul(0.5))
    expect(scalar(clipEachGradNorm(parameters(module), 1))).toBeCloseTo(Math.hypot(3, 4, 0.5), 5)
    expect(valuesOf(grad(module.a))[0]).toBeCloseTo(0.6, 5)
    expect(valuesOf(grad(module.b))).toEqual([0.5])
  })

  test('rejects parameters without any gradient', () => {
    expect(() => clipGradNorm(parameters(pair([1], [1])), 1)).toThrow('depends on no trainable tensor')
  })
})
