import { expect, test } from 'vitest'
import { libtorchMissing } from '../../test/libtorch.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import { RandomGenerator } from './rng.ts'

test.skipIf(libtorchMissing !== undefined)('a seed produces the numbers of torch.manual_seed', () => {
  // torch.manual_seed(0); torch.randn(4)
  const expected = [1.5409960746765137, -0.293428897857666, -2.1787893772125244, 0.5684312582015991]
  expect([...toFloat32(new RandomGenerator(0).randn([4]).read())]).toEqual(expected)
})

test.skipIf(libtorchMissing !== undefined)('a restored state continues the stream', () => {
  const generator = new RandomGenerator(7)
  generator.rand([3])
  const state = generator.save()
  const first = generator.rand([5]).read()
  generator.restore(state)
  expect(generator.rand([5]).read()).toEqual(first)
})
