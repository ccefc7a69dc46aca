// Contrastive losses against values computed by hand, values of IPT's official code on a tiny network, and
// PyTorch (test/golden/contrast/make.py).

import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { numbersOf } from '../../../test/values.ts'
import { elementCount, float32Data } from '../../core/data.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import { counterRandom } from '../../core/random.ts'
import { rearrange } from '../../core/rearrange.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Ipt, iptDefaults } from '../../models/ipt/ipt.ts'
import { randomInit } from '../../nn/init.ts'
import { mapTensors } from '../../nn/module.ts'
import { backward, grad, moveToTorch, noGrad, scalar, toTorch } from '../../torch/backend.ts'
import { iptContrast, sampleTokens, supervisedContrast } from './contrastiveLosses.ts'

const host = (shape: readonly number[], value: (i: number) => number): Tensor =>
  hostTensor(
    float32Data(
      Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
      shape,
    ),
  )

const eager = (shape: readonly number[], value: (i: number) => number) => toTorch(host(shape, value))

/** Output tokens [2 16 36] of IPT's body, with weights and features from a formula. */
function bodyTokens(): Tensor {
  const options = { ...iptDefaults, channels: 4, patchSize: 12, layers: 2, hidden: 144 }
  const network = new Ipt(
    randomInit(() => 0.5),
    options,
  )
  let k = 0
  mapTensors(network, (tensor, key) => {
    if (key.includes('_mean.')) return tensor
    const shape = tensor.shape as readonly number[]
    const phase = 1.3 * k++
    const perRow = Math.sqrt(elementCount(shape.slice(1)))
    return host(shape, (i) => {
      const s = Math.sin(0.7 * i + phase)
      if (/query_embed|\.pe\./.test(key)) return 0.5 * s
      if (shape.length > 1) return s / perRow
      return key.endsWith('weight') ? 1 + 0.1 * s : 0.1 * s
    })
  })
  moveToTorch(network)
  const features = eager([2, 4, 12, 12], (i) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97)))
  const folded = noGrad(() => network.body.forward(features, 0, () => {}))
  return rearrange(folded, 'b c (i y) (j x) -> b (i j) (c y x)', { y: 3, x: 3 })
}

describe.skipIf(libtorchMissing !== undefined)('contrast between images', () => {
  test('matches values computed by hand for two images of two tokens', () => {
    const features = () => eager([2, 2, 2], (i) => [1, 0, 0, 3, 2, 0, 1, 0][i] ?? 0)
    expect(scalar(iptContrast(features()))).toBeCloseTo(0.5 - 0.75, 6)
    const byHand = (3 * Math.log(1 + 2 * Math.E) + Math.log(3) - 2) / 4
    expect(scalar(supervisedContrast(features(), 1))).toBeCloseTo(byHand, 6)
  })

  test('matches the official values on the tokens of IPT’s body', () => {
    const tokens = bodyTokens()
    expect(tokens.shape).toEqual([2, 16, 36])
    expect(numbersOf(tokens.read())[0]).toBeCloseTo(-0.351857737, 4)
    expect(scalar(supervisedContrast(tokens))).toBeCloseTo(3.4848177758, 4)
    expect(scalar(iptContrast(tokens))).toBeCloseTo(-0.0003690642, 5)
  })

  test.each([
    {
      name: 'the paper’s',
      loss: iptContrast,
      value: 0.7743706860740557,
      gradient: [0.015359681558394662, 0.012149985384438506, 0.003225961235422377, -0.007215282889647654],
    },
    {
      name: 'the released',
      loss: (features: Tensor) => supervisedContrast(features),
      value: 17.39205030195819,
      gradient: [0.15037131005114956, 0.11894837874173236, 0.031582166290392344, -0.07063763245228016],
    },
  ])('matches PyTorch’s value and gradient: $name', ({ loss, value, gradient }) => {
    const holder = { features: host([3, 4, 5], (i) => Math.sin(0.7 * i)) }
    holder.features.isTrainable = true
    moveToTorch(holder)
    const result = loss(holder.features)
    backward(result)
    expect(scalar(result)).toBeCloseTo(value, 5)
    const found = numbersOf((grad(holder.features) as Tensor).read())
    gradient.forEach((expected, i) => {
      expect(found[i]).toBeCloseTo(expected, 5)
    })
  })

  test('is lower when the tokens of an image are alike', () => {
    const scattered = eager([2, 3, 4], (i) => Math.sin(1.3 * i))
    const clustered = eager([2, 3, 4], (i) => (i % 4 === Math.floor(i / 12) ? 1 : 0))
    for (const loss of [iptContrast, supervisedContrast])
      expect(scalar(loss(clustered))).toBeLessThan(scalar(loss(scattered)))
  })

  test('draws tokens at the same random positions of every image', () => {
    const features = eager([2, 5, 1], (i) => i)
    const [first = [], second = []] = [1, 2].map((seed) => {
      const chosen = sampleTokens(features, 3, counterRandom(seed))
      expect(chosen.shape).toEqual([2, 3, 1])
      const values = Array.from(numbersOf(chosen.read()))
      expect(values.slice(3)).toEqual(values.slice(0, 3).map((value) => value + 5))
      expect(new Set(values).size).toBe(6)
      return values
    })
    expect(first).not.toEqual(second)
    expect(sampleTokens(features, 5, counterRandom(1))).toBe(features)
  })

  test('rejects one image or one token', () => {
    expect(() => iptContrast(eager([1, 4, 2], () => 1))).toThrow(
      'at least 2 images of 2 tokens each, got 1 of 4',
    )
    expect(() => supervisedContrast(eager([2, 1, 2], () => 1))).toThrow('got 2 of 1')
  })
})
