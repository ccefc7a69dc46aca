// The inspecting network: equal values on both backends, options from shapes, and a recipe that learns.

import { describe, expect, test } from 'vitest'
import { recipe } from '../recipes/light-inspect.ts'
import { float32Data, viewAs } from '../src/core/data.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import { damageIds } from '../src/models/damages.ts'
import {
  type InspectOutputs,
  LightInspect,
  lightInspectDefaults,
  lightInspectOptionsFromWeights,
} from '../src/models/lightInspect/lightInspect.ts'
import { emptyInit, randomInit } from '../src/nn/init.ts'
import { parameterCount, parameters, stateDict } from '../src/nn/module.ts'
import { toOnnx } from '../src/onnx/compile.ts'
import { trace } from '../src/onnx/tracer.ts'
import { onnxSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { moveToTorch, noGrad, toTorch } from '../src/torch/backend.ts'
import { adamW } from '../src/torch/optim.ts'
import { inspectLosses } from '../src/train/networks/inspect/losses.ts'
import { trainStep } from '../src/train/optimization/step.ts'
import { checkRecipe } from '../src/train/preflight.ts'
import { libtorchMissing } from './libtorch.ts'

const tiny = { stem: [4, 4, 8], layers: 1, estimates: 5 } as const

function network(): LightInspect {
  let drawn = 0
  return new LightInspect(
    randomInit(() => 0.5 + 0.5 * Math.sin(++drawn)),
    tiny,
  )
}

function picture(count: number, seed: number) {
  const shape = [count, 3, 64, 64]
  const values = Float32Array.from(
    { length: count * 3 * 64 * 64 },
    (_, i) => 0.5 + 0.5 * Math.sin(0.7 * i + seed),
  )
  return { shape, data: float32Data(values, shape) }
}

function estimated(count: number) {
  const shape = [count, tiny.estimates]
  const values = Float32Array.from({ length: count * tiny.estimates }, (_, i) => Math.sin(i))
  return { shape, data: float32Data(values, shape) }
}

describe('the inspecting network', () => {
  test.skipIf(libtorchMissing)(
    'computes the same on ONNX Runtime and libtorch, for several crops',
    async () => {
      const [view, crops, estimates] = [picture(1, 1), picture(5, 2), estimated(1)]
      const traced = network()
      const inputs = [
        { name: 'view', shape: view.shape },
        { name: 'crops', shape: crops.shape },
        { name: 'estimates', shape: estimates.shape },
      ]
      const session = await onnxSession(
        toOnnx(
          trace(inputs, ({ view, crops, estimates }) => ({
            ...traced.forward({ view: view!, crops: crops!, estimates: estimates! }),
          })),
        ),
      )
      const eager = network()
      moveToTorch(eager)
      const torch = ({ data }: typeof view) => toTorch(hostTensor(data))
      try {
        const found = await session.run({ view: view.data, crops: crops.data, estimates: estimates.data })
        const expected = noGrad(() =>
          eager.forward({ view: torch(view), crops: torch(crops), estimates: torch(estimates) }),
        )
        for (const name of ['presence', 'severity', 'form'] satisfies (keyof InspectOutputs)[]) {
          const [a, b] = [found[name]!, expected[name].read()].map(({ bytes }) => viewAs(bytes, Float32Array))
          expect(a!.length).toBe(name === 'form' ? 3 : damageIds.length)
          expect(Math.max(...a!.map((value, i) => Math.abs(value - b![i]!)))).toBeLessThan(1e-4)
        }
      } finally {
        await session.close()
      }
    },
  )

  test('determines its options from the shapes of its weights', () => {
    for (const options of [lightInspectDefaults, tiny]) {
      const shapes = [...stateDict(new LightInspect(emptyInit(), options))].map(
        ([key, tensor]) => [key, tensor.shape as readonly number[]] as const,
      )
      expect(lightInspectOptionsFromWeights(new Map(shapes))).toEqual(options)
    }
  })

  test('has at most two million parameters', () => {
    expect(parameterCount(new LightInspect(emptyInit(), lightInspectDefaults))).toBeLessThan(2e6)
  })
})

describe('its recipe', () => {
  test('is complete', () => {
    expect(() => checkRecipe(recipe)).not.toThrow()
  })

  test.skipIf(libtorchMissing)('learns by its loss', () => {
    const model = network()
    moveToTorch(model)
    const [view, crops] = [picture(2, 1), picture(6, 2)]
    const labels = (values: readonly number[]) =>
      toTorch(hostTensor(float32Data(Float32Array.from(values), [2, values.length / 2])))
    const one = (k: number) => damageIds.map((_, i) => (i === k ? 1 : 0))
    const batch = {
      view: toTorch(hostTensor(view.data)),
      crops: toTorch(hostTensor(crops.data)).reshape([2, 9, 64, 64]),
      estimates: toTorch(hostTensor(estimated(2).data)),
      presence: labels([...one(0), ...one(4)]),
      severity: labels([...one(0), ...one(4).map((value) => 0.5 * value)]),
      known: labels(new Array(24).fill(1)),
      form: labels([0, 1, 0, 0, 0, 0]),
    }
    const trained = parameters(model)
    const optimizer = adamW(trained, { weightDecay: 0 })
    const losses = Array.from({ length: 30 }, () => {
      const loss = () => Object.values(inspectLosses(model, batch)).reduce((sum, one) => sum.add(one))
      return trainStep({ loss, parameters: trained, optimizer, learningRate: 3e-3 }).loss
    })
    expect(losses.at(-1)).toBeLessThan(0.2 * losses[0]!)
    // A kind that another hides does not count.
    const hidden = { ...batch, known: batch.known.mul(0) }
    const { presence } = noGrad(() => inspectLosses(model, hidden))
    expect(viewAs(presence!.read().bytes, Float32Array)[0]).toBe(0)
  })
})
