import { expect, test } from 'vitest'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { viewAs } from '../../core/data.ts'
import { counterRandom } from '../../core/random.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { randomInit } from '../../nn/init.ts'
import { moveToTorch, noGrad } from '../../torch/backend.ts'
import { RandomGenerator } from '../../torch/rng.ts'
import { CategoryAttention } from './attention.ts'

test.skipIf(libtorchMissing !== undefined)('images of a batch are sorted and attend apart', () => {
  const random = counterRandom(1)
  const options = { channels: 8, heads: 2, qkvBias: true, tokens: 4, reduced: 2, categorySize: 6 }
  const attention = new CategoryAttention(
    randomInit(() => random.uniform()),
    options,
  )
  moveToTorch(attention)
  const generator = new RandomGenerator(0)
  const images = Array.from({ length: 2 }, () => ({
    x: generator.rand([1, 20, 8]),
    similarity: generator.rand([1, 20, 4]),
  }))
  const attend = (x: Tensor, similarity: Tensor) => attention.forward({ q: x, k: x, v: x }, similarity)
  const values = (x: Tensor) => [...viewAs(x.read().bytes, Float32Array)]
  const [first, second] = images as [(typeof images)[0], (typeof images)[0]]
  const both = noGrad(() =>
    attend(cat([first.x, second.x], 0), cat([first.similarity, second.similarity], 0)),
  )
  const apart = images.flatMap(({ x, similarity }) => values(noGrad(() => attend(x, similarity))))
  values(both).forEach((value, i) => {
    expect(value).toBeCloseTo(apart[i] ?? Number.NaN, 5)
  })
})
