import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { float32Data, viewAs } from '../../core/data.ts'
import { l1Loss } from '../../core/functional.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import type { Tensor } from '../../core/tensor.ts'
import { backward, grad, moveToTorch, scalar, toTorch } from '../../torch/backend.ts'
import { charbonnierLoss, frequencyLoss, mseLoss, psnrLoss } from './losses.ts'

const image = (values: readonly number[], shape = [2, 1, 2, 2]) =>
  toTorch(float32Data(Float32Array.from(values), shape))

describe.skipIf(libtorchMissing !== undefined)('losses', () => {
  const target = () => image([0, 0, 0, 0, 0, 0, 0, 0])
  const output = () => image([0.1, -0.2, 0.3, 0.4, 0, 0, 0, 0.2])

  test('match their formulas', () => {
    expect(scalar(l1Loss(output(), target()))).toBeCloseTo(1.2 / 8, 6)
    expect(scalar(mseLoss(output(), target()))).toBeCloseTo(0.34 / 8, 6)
    const d = [0.1, 0.2, 0.3, 0.4, 0, 0, 0, 0.2]
    const charbonnier = d.reduce((sum, x) => sum + Math.sqrt(x * x + 1e-6), 0) / 8
    expect(scalar(charbonnierLoss(output(), target()))).toBeCloseTo(charbonnier, 6)
    const psnr = (10 * Math.log10(0.3 / 4 + 1e-8) + 10 * Math.log10(0.04 / 4 + 1e-8)) / 2
    expect(scalar(psnrLoss(output(), target()))).toBeCloseTo(psnr, 4)
  })

  test('the frequency loss is the mean difference of Fourier coefficients', () => {
    // Every coefficient of a single 1 at the origin is 1 + 0i.
    expect(
      scalar(frequencyLoss(image([1, 0, 0, 0], [1, 1, 2, 2]), image([0, 0, 0, 0], [1, 1, 2, 2]))),
    ).toBeCloseTo(0.5, 6)
  })

  test('the frequency loss has a gradient', () => {
    const module: { x: Tensor } = { x: hostTensor(float32Data(Float32Array.of(1, 0, 0, 0), [1, 1, 2, 2])) }
    module.x.isTrainable = true
    moveToTorch(module)
    backward(frequencyLoss(module.x, image([0, 0, 0, 0], [1, 1, 2, 2])))
    const gradient = viewAs(grad(module.x)?.read().bytes ?? new Uint8Array(0), Float32Array)
    expect([...gradient]).toEqual([0.5, 0, 0, 0])
  })
})
