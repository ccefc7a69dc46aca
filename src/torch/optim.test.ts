import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../test/libtorch.ts'
import { float32Data } from '../core/data.ts'
import { hostTensor } from '../core/host.ts'
import type { Tensor } from '../core/tensor.ts'
import { parameters } from '../nn/module.ts'
import { backward, grad, moveToTorch, scalar, toTorch } from './backend.ts'
import { adamW, clipGradNorm } from './optim.ts'

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
  const [beta1, beta2, eps] = [0.9, 0.999, 1e-8]
  let [x, m, v] = [start, 0, 0]
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
  test('follows its formulas, weight decay on every parameter', () => {
    const module = pair([1, -2, 0.5], [3])
    const weights = toTorch(float32Data(Float32Array.of(1, 4, 0.1), [3]))
    const optimizer = adamW(parameters(module), { weightDecay: 0.1 })
    for (let step = 0; step < 20; step++) {
      optimizer.zeroGrad()
      const { a, b } = module
      backward(a.mul(a).mul(weights).sum().add(b.mul(b).sum()).mul(0.5))
      optimizer.step(0.05)
    }
    const wanted = [
      [1, 1],
      [-2, 4],
      [0.5, 0.1],
    ].map(([x, w]) => closedForm(x!, 20, { rate: 0.05, decay: 0.1, w: Math.fround(w!) }))
    valuesOf(module.a).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 5)
    })
    expect(valuesOf(module.b)[0]).toBeCloseTo(closedForm(3, 20, { rate: 0.05, decay: 0.1, w: 1 }), 5)
  })

  test('leaves parameters without a gradient alone', () => {
    const module = pair([1], [3])
    const optimizer = adamW(parameters(module), { weightDecay: 0.5 })
    backward(module.a.sum())
    optimizer.step(0.1)
    expect(valuesOf(module.b)).toEqual([3])
    expect(valuesOf(module.a)[0]).toBeLessThan(0.96)
  })

  test('zeroGrad forgets gradients', () => {
    const module = pair([1], [3])
    const optimizer = adamW(parameters(module))
    backward(module.a.sum())
    expect(grad(module.a)).toBeDefined()
    optimizer.zeroGrad()
    expect(grad(module.a)).toBeUndefined()
  })
})

describe.skipIf(libtorchMissing !== undefined)('clipGradNorm', () => {
  test('scales all gradients by one factor so that their joint norm is the maximum', () => {
    const module = pair([3, 0], [4])
    backward(module.a.mul(module.a).sum().add(module.b.mul(module.b).sum()).mul(0.5))
    expect(scalar(clipGradNorm(parameters(module), 1))).toBeCloseTo(5, 6)
    const clipped = [...valuesOf(grad(module.a)), ...valuesOf(grad(module.b))]
    clipped.forEach((value, i) => {
      expect(value).toBeCloseTo([0.6, 0, 0.8][i]!, 5)
    })
  })

  test('leaves gradients below the maximum alone', () => {
    const module = pair([3, 0], [4])
    backward(module.a.sum().mul(0.01))
    clipGradNorm(parameters(module), 1)
    expect(valuesOf(grad(module.a))).toEqual([Math.fround(0.01), Math.fround(0.01)])
  })
})
