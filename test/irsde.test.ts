// The networks of IR-SDE, Refusion and DA-CLIP: published sizes, options, graphs and wrong inputs.

import { describe, expect, test } from 'vitest'
import { elementCount, float32Data, type TensorData } from '../src/core/data.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import type { Tensor } from '../src/core/tensor.ts'
import { createSde, matchingLoss, restoringSde } from '../src/diffusion/irsde.ts'
import {
  ConditionalNafnet,
  conditionalNafnetDefaults,
  conditionalNafnetOptionsFromWeights,
} from '../src/models/conditionalNafnet/conditionalNafnet.ts'
import {
  ConditionalUnet,
  type ConditionalUnetOptions,
  conditionalUnetDefaults,
  conditionalUnetOptionsFromWeights,
  unetVariant,
  universalUnet,
  wildUnet,
} from '../src/models/conditionalUnet/conditionalUnet.ts'
import {
  LatentUnet,
  latentUnetDefaults,
  latentUnetOptionsFromWeights,
} from '../src/models/latentUnet/latentUnet.ts'
import {
  LightDiffusion,
  lightDiffusionDefaults,
  lightDiffusionOptionsFromWeights,
} from '../src/models/lightDiffusion/lightDiffusion.ts'
import { emptyInit, randomInit } from '../src/nn/init.ts'
import { mapTensors, parameterCount, parameters, stateDict } from '../src/nn/module.ts'
import { toOnnx } from '../src/onnx/compile.ts'
import { trace } from '../src/onnx/tracer.ts'
import { onnxSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { backward, grad, moveToTorch, noGrad, scalar, scope, toTorch } from '../src/torch/backend.ts'
import { adamW } from '../src/torch/optim.ts'
import { libtorchMissing } from './libtorch.ts'
import { difference, numbersOf } from './values.ts'

const tolerance = { absolute: 1e-5, relative: 1e-4 }
const denoisingUnet = { isConditional: false, middleAttention: 'full' } as const

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

function data(shape: readonly number[], seed: number): TensorData {
  const next = random(seed)
  return float32Data(Float32Array.from({ length: elementCount(shape) }, next), shape)
}

const shapesOf = (network: object) =>
  new Map([...stateDict(network)].map(([key, { shape }]) => [key, shape as number[]]))

describe('the published networks', () => {
  test.each([
    ['IR-SDE', {}, 137_147_523, 151, 'IR-SDE'],
    ['denoising', denoisingUnet, 137_137_091, 150, 'denoising SDE'],
    ['universal', universalUnet, 48_975_747, 224, 'DA-CLIP universal'],
    [
      'universal, one task',
      { ...universalUnet, usesDegradation: false },
      48_712_579,
      217,
      'DA-CLIP universal',
    ],
    ['wild', wildUnet, 49_470_467, 221, 'DA-CLIP wild'],
    ['universal, without embeddings', { multipliers: [1, 1, 2, 4, 8] }, 36_236_419, 151, 'IR-SDE'],
  ] as const)('%s has the official number of parameters and keys', (_, changed, count, keys, variant) => {
    const options: ConditionalUnetOptions = { ...conditionalUnetDefaults, ...changed }
    const network = new ConditionalUnet(emptyInit(), options)
    expect([parameterCount(network), stateDict(network).size]).toEqual([count, keys])
    expect(conditionalUnetOptionsFromWeights(shapesOf(network))).toEqual(options)
    expect(unetVariant(options)).toBe(variant)
  })

  test('Refusion’s NAFNet has the official number of parameters and keys', () => {
    const network = new ConditionalNafnet(emptyInit(), conditionalNafnetDefaults)
    expect([parameterCount(network), stateDict(network).size]).toEqual([76_608_387, 668])
    expect(conditionalNafnetOptionsFromWeights(shapesOf(network))).toEqual(conditionalNafnetDefaults)
    const latent = { ...conditionalNafnetDefaults, channels: 8, addsFirstFeatures: true }
    const shapes = shapesOf(new ConditionalNafnet(emptyInit(), latent))
    expect(conditionalNafnetOptionsFromWeights(shapes)).toEqual(latent)
  })

  test('the options of the latent U-Net are determined by its shapes', () => {
    const shapes = shapesOf(new LatentUnet(emptyInit(), latentUnetDefaults))
    expect(latentUnetOptionsFromWeights(shapes)).toEqual(latentUnetDefaults)
  })
})

const small = { ...conditionalUnetDefaults, width: 32, multipliers: [1, 1, 1] } as const
const guided: ConditionalUnetOptions = {
  ...small,
  contextWidth: 6,
  usesContent: true,
  usesDegradation: true,
}
const state = data([1, 3, 9, 13], 3)
const degraded = data([1, 3, 9, 13], 4)
const content = data([1, 6], 5)
const degradation = data([1, 6], 6)

test.skipIf(libtorchMissing !== undefined).each([
  ['guided', guided],
  ['wild', { ...guided, usesDegradation: false, halvesInput: true }],
] as const)('one graph of the %s network serves all times, and agrees with libtorch', async (_, options) => {
  const network = new ConditionalUnet(randomInit(random(1)), options)
  const named = { state, degraded, content, degradation, time: data([1], 1) }
  const forward = (inputs: Readonly<Record<string, Tensor>>) => {
    const { state: x, degraded: mu, time } = inputs as Record<'state' | 'degraded' | 'time', Tensor>
    return { y: network.forward({ state: x, degraded: mu, time }, network.condition(inputs)) }
  }
  const traced = Object.entries(named).map(([name, { shape }]) => ({ name, shape }))
  const session = await onnxSession(toOnnx(trace(traced, forward)))
  const at = (t: number) => ({ ...named, time: float32Data(Float32Array.of(t), [1]) })
  const found = await Promise.all([1, 62.5].map((t) => session.run(at(t))))
  await session.close()
  expect(difference(found[0]!.y!, found[1]!.y!, tolerance)).toBeDefined()
  moveToTorch(network)
  for (const [i, t] of [1, 62.5].entries()) {
    const moved = Object.fromEntries(Object.entries(at(t)).map(([name, value]) => [name, toTorch(value)]))
    const expected = noGrad(() => forward(moved).y.read())
    expect(difference(found[i]!.y!, expected, tolerance)).toBeUndefined()
  }
})

describe('the light network in a diffusion', () => {
  const options = { ...lightDiffusionDefaults, width: 8, middleBlocks: 2, contextWidth: 6 }
  const named = { state, degraded, time: data([1], 1), degradation }
  const forward = (network: LightDiffusion, inputs: Readonly<Record<string, Tensor>>) => {
    const [x, mu, time, word] = Object.keys(named).map((name) => inputs[name]) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ]
    return network.forward({ state: x, degraded: mu, time }, network.condition({ degradation: word }))
  }
  /** A network whose selected tensors are random rather than zero. */
  const drawn = (isDrawn: (key: string) => boolean) => {
    const network = new LightDiffusion(randomInit(random(1)), options)
    const next = random(5)
    mapTensors(network, (tensor, key) => {
      if (!isDrawn(key)) return tensor
      const shape = tensor.shape as readonly number[]
      const values = Float32Array.from({ length: elementCount(shape) }, () => 0.5 * (next() - 0.5))
      return hostTensor(float32Data(values, shape))
    })
    return network
  }

  test('has the shipped size, and its shapes determine its options', () => {
    const network = new LightDiffusion(emptyInit(), lightDiffusionDefaults)
    expect(parameterCount(network)).toBeLessThan(6e6)
    expect(lightDiffusionOptionsFromWeights(shapesOf(network))).toEqual(lightDiffusionDefaults)
  })

  test.skipIf(libtorchMissing !== undefined)(
    'initially predicts what the light network adds to the degraded image',
    () => {
      const network = drawn((key) => key.startsWith('trunk.'))
      moveToTorch(network)
      const moved = Object.fromEntries(
        Object.entries({ ...named, state: data([1, 3, 16, 16], 3), degraded: data([1, 3, 16, 16], 4) }).map(
          ([name, value]) => [name, toTorch(value)],
        ),
      )
      const mu = moved.degraded as Tensor
      const expected = noGrad(() => network.trunk.forward(mu).sub(mu).read())
      expect(
        difference(
          noGrad(() => forward(network, moved).read()),
          expected,
          tolerance,
        ),
      ).toBeUndefined()
    },
  )

  test.skipIf(libtorchMissing !== undefined)(
    'has one graph for all times, and depends on the state, the time and the degradation',
    async () => {
      const network = drawn(() => true)
      const traced = Object.entries(named).map(([name, { shape }]) => ({ name, shape }))
      const session = await onnxSession(toOnnx(trace(traced, (inputs) => ({ y: forward(network, inputs) }))))
      const cases = [
        named,
        { ...named, time: float32Data(Float32Array.of(62.5), [1]) },
        { ...named, state: degraded },
        { ...named, degradation: content },
      ]
      const found = await Promise.all(cases.map((inputs) => session.run(inputs)))
      await session.close()
      moveToTorch(network)
      for (const [i, inputs] of cases.entries()) {
        const moved = Object.fromEntries(
          Object.entries(inputs).map(([name, value]) => [name, toTorch(value)]),
        )
        const expected = noGrad(() => forward(network, moved).read())
        expect(difference(found[i]!.y!, expected, tolerance)).toBeUndefined()
        if (i > 0) expect(difference(found[i]!.y!, found[0]!.y!, tolerance)).toBeDefined()
      }
    },
  )

  test.each([
    [
      'an embedding of another width',
      { degradation: [1, 512] },
      'expected a degradation embedding [b 6], got [1 512]',
    ],
    [
      'sides too small for reflection padding',
      { state: [1, 3, 3, 9], degraded: [1, 3, 3, 9] },
      'expected sides larger than',
    ],
  ])('is rejected for %s', (_, changed, message) => {
    const shapes = {
      ...Object.fromEntries(Object.entries(named).map(([name, { shape }]) => [name, shape])),
      ...changed,
    }
    const inputs = Object.entries(shapes).map(([name, shape]) => ({ name, shape }))
    const network = new LightDiffusion(randomInit(random(2)), options)
    expect(() => trace(inputs, (tensors) => ({ y: forward(network, tensors) }))).toThrow(message)
  })
})

describe('a graph', () => {
  const traced = (options: ConditionalUnetOptions, inputs: Readonly<Record<string, readonly number[]>>) =>
    trace(
      Object.entries(inputs).map(([name, shape]) => ({ name, shape })),
      (named) => {
        const network = new ConditionalUnet(randomInit(random(2)), options)
        const { state: x, time } = named as Record<'state' | 'time', Tensor>
        const conditioning = network.condition({ content: named.content, degradation: named.degradation })
        return { y: network.forward({ state: x, degraded: named.degraded, time }, conditioning) }
      },
    )
  const images = { state: [1, 3, 8, 8], degraded: [1, 3, 8, 8], time: [1] }

  test.each([
    [
      'a context of another width',
      { ...images, content: [1, 8] },
      'expected a content embedding [b 6], got [1 8]',
    ],
    [
      'a degradation of another width',
      { ...images, content: [1, 6], degradation: [1, 512] },
      'expected a degradation embedding [b 6], got [1 512]; ViT-B/32 gives 512 features',
    ],
    [
      'no content',
      images,
      "expected a content embedding, as the weights are of the variant 'DA-CLIP universal', got none",
    ],
    [
      'no degraded image',
      { state: [1, 3, 8, 8], time: [1], content: [1, 6] },
      "expected a degraded image besides the state, as the weights are of the variant 'DA-CLIP universal', got none",
    ],
    [
      'sides too small for reflection padding',
      { ...images, state: [1, 3, 2, 8], degraded: [1, 3, 2, 8], content: [1, 6] },
      'expected sides larger than their reflection padding to a multiple of 4, got [1 6 2 8]',
    ],
  ] as const)('is rejected for %s', (_, inputs, message) => {
    expect(() => traced(guided, inputs)).toThrow(message)
  })

  test('of the denoising SDE is rejected with a degraded image, naming the variant', () => {
    expect(() => traced({ ...small, ...denoisingUnet }, images)).toThrow(
      "expected no degraded image besides the state, as the weights are of the variant 'denoising SDE', got one",
    )
  })
})

describe.skipIf(libtorchMissing !== undefined)('training', () => {
  test('reaches every parameter, and overfits one batch', () => {
    const network = new ConditionalUnet(randomInit(random(7)), { ...small, width: 8, multipliers: [1, 2] })
    moveToTorch(network)
    const shape = [2, 3, 8, 8]
    const batch = {
      clean: toTorch(data(shape, 8)),
      degraded: toTorch(data(shape, 9)),
      noise: toTorch(data(shape, 10)),
      times: [3, 70],
    }
    const time = toTorch(float32Data(Float32Array.from(batch.times), [2]))
    const sde = createSde(restoringSde)
    const lossOf = () =>
      matchingLoss(sde, batch, (x) => network.forward({ state: x, degraded: batch.degraded, time })).loss
    const optimizer = adamW(parameters(network), { weightDecay: 0 })
    const step = () =>
      scope(() => {
        optimizer.zeroGrad()
        const loss = lossOf()
        backward(loss)
        optimizer.step(2e-3)
        return loss
      })
    const first = scalar(step())
    for (const [key, tensor] of parameters(network)) {
      const gradient = grad(tensor)
      expect(gradient && Array.from(numbersOf(gradient.read())).every(Number.isFinite), key).toBe(true)
    }
    for (let i = 0; i < 40; i++) step()
    expect(scalar(noGrad(lossOf))).toBeLessThan(first / 1.5)
  })
})
