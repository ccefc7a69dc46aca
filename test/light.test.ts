// The light network: equal values on both backends, options from shapes, and a bounded receptive field.

import { describe, expect, test } from 'vitest'
import { float32Data, viewAs } from '../src/core/data.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import { Light, lightDefaults, lightOptionsFromWeights } from '../src/models/light/light.ts'
import { emptyInit, randomInit } from '../src/nn/init.ts'
import { mapTensors, parameterCount, stateDict } from '../src/nn/module.ts'
import { toOnnx } from '../src/onnx/compile.ts'
import { trace } from '../src/onnx/tracer.ts'
import { onnxSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { moveToTorch, noGrad, toTorch } from '../src/torch/backend.ts'
import { libtorchMissing } from './libtorch.ts'

const tiny = { channels: 3, width: 8, encoderBlocks: [1, 2], middleBlocks: 1, decoderBlocks: [2, 1] } as const

function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => 0.5 + 0.5 * Math.sin(0.7 * i + seed))
}

/** A network with nonzero scales (initialized to zero), so that every block contributes. */
function network(): Light {
  let drawn = 0
  const light = new Light(
    randomInit(() => 0.5 + 0.5 * Math.sin(++drawn)),
    tiny,
  )
  mapTensors(light, (tensor, key) =>
    /beta|gamma/.test(key)
      ? hostTensor(float32Data(numbers(tensor.size(1), 1), [1, tensor.size(1), 1, 1]))
      : tensor,
  )
  return light
}

const shape = [1, 3, 24, 40]

async function traced(values: Float32Array, sizes = shape): Promise<Float32Array> {
  const light = network()
  const session = await onnxSession(
    toOnnx(
      trace([{ name: 'x', shape: sizes }], ({ x }) => ({ y: light.forward(x as NonNullable<typeof x>) })),
    ),
  )
  try {
    const { y } = await session.run({ x: float32Data(values, sizes) })
    return viewAs((y as NonNullable<typeof y>).bytes, Float32Array)
  } finally {
    await session.close()
  }
}

describe('the light network', () => {
  test.skipIf(libtorchMissing)('computes the same on ONNX Runtime and libtorch', async () => {
    const values = numbers(3 * 24 * 40, 2)
    const eager = network()
    moveToTorch(eager)
    const expected = noGrad(() => eager.forward(toTorch(hostTensor(float32Data(values, shape)))).read())
    const actual = await traced(values)
    const reference = viewAs(expected.bytes, Float32Array)
    expect(Math.max(...actual.map((value, i) => Math.abs(value - (reference[i] ?? 0))))).toBeLessThan(1e-4)
    // Far from the identity, so that the comparison is meaningful.
    expect(Math.max(...actual.map((value, i) => Math.abs(value - (values[i] ?? 0))))).toBeGreaterThan(0.1)
  })

  test('determines its options from the shapes of its weights', () => {
    for (const options of [lightDefaults, tiny]) {
      const shapes = [...stateDict(new Light(emptyInit(), options))].map(
        ([key, tensor]) => [key, tensor.shape as readonly number[]] as const,
      )
      expect(lightOptionsFromWeights(new Map(shapes))).toEqual(options)
    }
  })

  test('rejects weights without a stem', () => {
    expect(() => lightOptionsFromWeights(new Map())).toThrow('expected a key intro.weight')
  })

  test('fits in 8 MB as half floats', () => {
    expect(2 * parameterCount(new Light(emptyInit(), lightDefaults))).toBeLessThan(8e6)
  })

  test('does not depend on distant pixels', async () => {
    const sizes = [1, 3, 8, 256]
    const one = numbers(3 * 8 * 256, 3)
    const other = numbers(3 * 8 * 256, 3)
    for (let i = 0; i < other.length; i++) if (i % 256 > 200) other[i] = 0
    const first = await traced(one, sizes)
    const second = await traced(other, sizes)
    const far = first.map((value, i) => (i % 256 < 60 ? Math.abs(value - (second[i] ?? 0)) : 0))
    expect(Math.max(...far)).toBe(0)
    expect(first).not.toEqual(second)
  })
})
