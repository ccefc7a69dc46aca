// DA-CLIP: published sizes, initialization of the controller, frozen weights, reverse injection and losses.

import { describe, expect, test } from 'vitest'
import { elementCount, float32Data, int64Data, type TensorData, viewAs } from '../src/core/data.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import type { Tensor } from '../src/core/tensor.ts'
import { withoutPadding } from '../src/data/clip/tokenizer.ts'
import { Clip, type ClipOptions, clipDefaults, clipLarge } from '../src/models/clip/clip.ts'
import {
  DaClip,
  daClipLosses,
  daClipOptionsFromWeights,
  startController,
} from '../src/models/daclip/daclip.ts'
import { contrastiveLoss, normalized, sharedTextLoss } from '../src/nn/contrastive.ts'
import { emptyInit, randomInit } from '../src/nn/init.ts'
import { parameterCount, parameters, stateDict } from '../src/nn/module.ts'
import { trace } from '../src/onnx/tracer.ts'
import { backward, grad, moveToTorch, noGrad, scalar, toTorch } from '../src/torch/backend.ts'
import { libtorchMissing } from './libtorch.ts'
import { difference, exact } from './values.ts'

const tiny: ClipOptions = {
  ...clipDefaults,
  features: 6,
  imageSize: [16, 16],
  patch: 8,
  visionWidth: 64,
  visionLayers: 2,
  visionHeads: 1,
  contextLength: 5,
  vocabulary: 11,
  textWidth: 64,
  textLayers: 1,
  textHeads: 1,
}

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

function data(shape: readonly number[], seed: number): TensorData {
  const next = random(seed)
  return float32Data(
    Float32Array.from({ length: elementCount(shape) }, () => next() - 0.5),
    shape,
  )
}

const shapesOf = (network: object) =>
  new Map([...stateDict(network)].map(([key, { shape }]) => [key, shape as number[]]))
const floats = (tensor: Tensor | undefined) => viewAs(tensor!.read().bytes, Float32Array)

test.each([
  ['ViT-B/32', {}, 151_277_313, 94_936_321, 631],
  ['ViT-L/14', clipLarge, 427_616_513, 329_156_609, 1087],
] as const)('%s has the official numbers of parameters and keys', (_, changed, all, trained, keys) => {
  const options = { ...clipDefaults, ...changed }
  expect(parameterCount(new Clip(emptyInit(), options))).toBe(all)
  const network = new DaClip(emptyInit(), options)
  expect([parameterCount(network), stateDict(network).size]).toEqual([trained, keys])
  expect(daClipOptionsFromWeights(shapesOf(network))).toEqual(options)
})

describe('the initialization of the controller', () => {
  test('copies the encoder, with dense layers of zeros', () => {
    const network = new DaClip(randomInit(random(1)), tiny)
    startController(network, { asPublished: false })
    const tensors = stateDict(network)
    for (const name of ['class_embedding', 'conv1.weight', 'ln_post.weight'])
      expect(floats(tensors.get(`visual_control.${name}`)), name).toEqual(
        floats(tensors.get(`visual.${name}`)),
      )
    expect(floats(tensors.get('visual_control.transformer.transformer.resblocks.1.mlp.c_fc.weight'))).toEqual(
      floats(tensors.get('clip.visual.transformer.resblocks.1.mlp.c_fc.weight')),
    )
    for (const i of [0, 1])
      expect(floats(tensors.get(`visual_control.transformer.zero_modules.${i}.weight`)).some(Boolean)).toBe(
        false,
      )
  })

  test('reproduces the published bug on request', () => {
    const network = new DaClip(randomInit(random(1)), tiny)
    network.clip.visual.ln_post.weight = hostTensor(data([64], 3))
    network.clip.visual.ln_post.bias = hostTensor(data([64], 4))
    startController(network, { asPublished: true })
    const tensors = stateDict(network)
    const dense = floats(tensors.get('visual_control.transformer.zero_modules.0.weight'))
    expect(dense.slice(64 * 5, 64 * 6)).toEqual(floats(tensors.get('visual.ln_post.weight')))
    expect(floats(tensors.get('visual_control.transformer.zero_modules.0.bias'))).toEqual(
      floats(tensors.get('visual.ln_post.bias')),
    )
    expect(floats(tensors.get('visual_control.transformer.zero_modules.1.weight')).some(Boolean)).toBe(false)
    expect(new Set(floats(tensors.get('visual_control.ln_post.weight')))).toEqual(new Set([1]))
  })
})

test('rejects a text longer than the context, with the remedy', () => {
  const network = new Clip(randomInit(random(1)), tiny)
  expect(() =>
    trace([{ name: 'ids', shape: [1, 6], dtype: 'int64' }], ({ ids }) => ({ y: network.encodeText(ids!) })),
  ).toThrow('text: expected at most 5 tokens, got 6; tokenize with contextLength 5')
})

describe.skipIf(libtorchMissing !== undefined)('on libtorch', () => {
  const image = data([2, 3, 16, 16], 5)

  test('the first zero-initialized layer acts only after the last block', () => {
    const network = new DaClip(randomInit(random(2)), tiny)
    startController(network, { asPublished: false })
    const bias = network.visual_control.transformer.zero_modules[0]
    if (bias) bias.bias = hostTensor(float32Data(new Float32Array(64).fill(0.5), [64]))
    moveToTorch(network)
    const recordTaps = (run: (tap: (name: string, tensor: Tensor) => void) => void) => {
      const taps = new Map<string, TensorData>()
      noGrad(() => run((name, tensor) => taps.set(name, tensor.read())))
      return taps
    }
    const plain = recordTaps((tap) => network.clip.encodeImage(toTorch(image), tap))
    const controlled = recordTaps((tap) => network.encodeImage(toTorch(image), tap))
    const same = (name: string) => difference(controlled.get(name)!, plain.get(name)!, exact) === undefined
    expect(['visual.transformer.resblocks.0', 'visual.transformer.resblocks.1'].map(same)).toEqual([
      true,
      false,
    ])
  })

  test('text features do not depend on padding after the end token', () => {
    const network = new Clip(randomInit(random(4)), tiny)
    moveToTorch(network)
    const ids = int64Data([1, 2, 10, 0, 0, 3, 10, 0, 0, 0], [2, 5])
    const features = (tokens: TensorData) => noGrad(() => network.encodeText(toTorch(tokens)).read())
    expect(withoutPadding(ids).shape).toEqual([2, 3])
    expect(
      difference(features(withoutPadding(ids)), features(ids), { absolute: 1e-6, relative: 0 }),
    ).toBeUndefined()
  })

  test('only the controller and the shared scale receive gradients, CLIP does not', () => {
    const network = new DaClip(randomInit(random(3)), tiny)
    moveToTorch(network)
    const ids = toTorch(int64Data([1, 2, 10, 0, 0, 3, 10, 0, 0, 0], [2, 5]))
    const losses = daClipLosses(network, { image: toTorch(image), captions: ids, degradations: ids })
    backward(losses.content.add(losses.degradation))
    expect([...stateDict(network.clip)].filter(([, tensor]) => grad(tensor))).toEqual([])
    expect([...parameters(network).keys()].every((key) => /^(logit_scale|visual_control)/.test(key))).toBe(
      true,
    )
    for (const [key, tensor] of parameters(network)) expect(grad(tensor), key).toBeDefined()
  })

  test('shared texts match all of their images', () => {
    const [images, texts] = [data([4, 6], 7), data([4, 6], 8)].map((values) =>
      normalized(toTorch(values)),
    ) as [Tensor, Tensor]
    const scale = toTorch(float32Data(Float32Array.of(20), []))
    const unshared = scalar(contrastiveLoss(images, texts, scale))
    expect(scalar(sharedTextLoss(images, texts, { labels: [0, 1, 2, 3], scale }))).toBeCloseTo(unshared, 5)
    // Perfect embeddings of two texts for four images: the standard loss cannot fall below ln 2.
    const words = normalized(toTorch(float32Data(Float32Array.of(1, 0, 0, 1), [2, 2])))
    const pairs = normalized(toTorch(float32Data(Float32Array.of(1, 0, 1, 0, 0, 1, 0, 1), [4, 2])))
    expect(scalar(contrastiveLoss(pairs, pairs, scale))).toBeCloseTo(Math.log(2), 4)
    expect(scalar(sharedTextLoss(pairs, words, { labels: [0, 0, 1, 1], scale }))).toBeLessThan(0.36)
    expect(() => sharedTextLoss(pairs, words, { labels: [0, 0, 1, 2], scale })).toThrow(
      'shared text loss: expected 4 labels from 0 to 1, got 0, 0, 1, 2',
    )
  })
})
