import { expect, test } from 'vitest'
import { float32Data } from '../../core/data.ts'
import type { Tensor } from '../../core/tensor.ts'
import { nodeSession } from './nodeOnnxSession.ts'

function forward({ x }: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>> {
  if (x?.shape[0] === 3) throw new Error('expected another size than 3')
  return { y: x?.mul(2) ?? expect.fail() }
}

test('a session survives a rejected input, and calls at other sizes are queued', async () => {
  const session = nodeSession({ forward })
  const run = (size: number) => session.run({ x: float32Data(new Float32Array(size).fill(size), [size]) })
  const first = await run(2)
  await expect(run(3)).rejects.toThrow('expected another size than 3')
  const [again, other] = await Promise.all([run(2), run(4), run(2)])
  expect(again.y).toEqual(first.y)
  expect(other.y).toEqual(float32Data(new Float32Array(4).fill(8), [4]))
  await session.close()
})
