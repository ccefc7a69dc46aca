// The light upscaler: equal values on both backends, and a bounded receptive field.

import { describe, expect, test } from 'vitest'
import { float32Data, viewAs } from '../src/core/data.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import { LightUpscale, lightUpscale } from '../src/models/lightUpscale/lightUpscale.ts'
import { randomInit } from '../src/nn/init.ts'
import { nodeSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { moveToTorch, noGrad, toTorch } from '../src/torch/backend.ts'
import { libtorchMissing } from './libtorch.ts'

const shape = [1, 3, 17, 21]

function numbers(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => 0.5 + 0.5 * Math.sin(0.7 * i))
}

function init() {
  let drawn = 0
  return randomInit(() => 0.5 + 0.5 * Math.sin(++drawn))
}

describe.each([2, 3, 4])('the light upscaler ×%i', (scale) => {
  const options = { scale, channels: 8, blocks: 2 }
  const { forward, network } = lightUpscale.fromOptions(options).create(init())
  const run = async (values: Float32Array, sizes = shape) => {
    const session = nodeSession({ forward })
    const { y } = await session.run({ x: float32Data(values, sizes) }).finally(() => session.close())
    return y ?? expect.fail()
  }

  test.skipIf(libtorchMissing !== undefined)('computes the same on ONNX Runtime and libtorch', async () => {
    const values = numbers(3 * 17 * 21)
    const y = await run(values)
    expect(y.shape).toEqual([1, 3, 17 * scale, 21 * scale])
    const eager = new LightUpscale(init(), options)
    moveToTorch(eager)
    const expected = noGrad(() => eager.forward(toTorch(hostTensor(float32Data(values, shape)))).read())
    const actual = viewAs(y.bytes, Float32Array)
    for (const [i, value] of viewAs(expected.bytes, Float32Array).entries())
      expect(Math.abs(value - actual[i]!)).toBeLessThan(1e-5)
    expect(network).toBeInstanceOf(LightUpscale)
  })

  test('does not depend on pixels beyond the overlap of tiles', async () => {
    const sizes = [1, 3, 1, 80]
    const base = numbers(240)
    const changed = base.slice()
    changed[40] = 1 - changed[40]!
    const [before, after] = await Promise.all([run(base, sizes), run(changed, sizes)])
    const [a, b] = [before, after].map(({ bytes }) => viewAs(bytes, Float32Array))
    const reach = 3 + 3 * options.blocks
    for (let x = 0; x < 80 * scale; x++)
      if (Math.abs(Math.floor(x / scale) - 40) > reach) expect(a![x]).toBe(b![x])
    expect(a).not.toEqual(b)
  })
})
