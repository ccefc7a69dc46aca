// Compares Restormer with values of the official network, on libtorch and on ONNX Runtime.

import { describe, expect, test } from 'vitest'
import { elementCount, float32Data, type TensorData } from '../src/core/data.ts'
import { l1Loss } from '../src/core/functional.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import type { Tensor } from '../src/core/tensor.ts'
import {
  Restormer,
  type RestormerOptions,
  restormerDefaults,
  restormerOptionsFromWeights,
} from '../src/models/restormer/restormer.ts'
import { emptyInit, randomInit } from '../src/nn/init.ts'
import { mapTensors, parameterCount, parameters, stateDict } from '../src/nn/module.ts'
import { toOnnx } from '../src/onnx/compile.ts'
import { trace } from '../src/onnx/tracer.ts'
import { onnxSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { backward, grad, moveToTorch, noGrad, scalar, scope, toTorch } from '../src/torch/backend.ts'
import { adamW, clipGradNorm } from '../src/torch/optim.ts'
import { libtorchMissing } from './libtorch.ts'
import { difference, numbersOf, type Tolerance } from './values.ts'

// The reference ran in float64; float32 through 8 blocks keeps about five digits.
const eagerTolerance: Tolerance = { absolute: 2e-5, relative: 1e-5 }
// Sums in a different order; normalization amplifies the difference for pixels with nearly equal channels.
const batchTolerance: Tolerance = { absolute: 1e-4, relative: 1e-4 }
const onnxTolerance: Tolerance = { absolute: 1e-4, relative: 1e-4 }

const tiny: RestormerOptions = {
  ...restormerDefaults,
  dim: 8,
  numBlocks: [1, 1, 1, 1],
  numRefinementBlocks: 1,
}

interface Variant {
  readonly name: string
  readonly options: Partial<RestormerOptions>
  readonly full: { readonly tensors: number; readonly parameters: number }
  readonly tiny: { readonly tensors: number; readonly parameters: number }
  readonly mean: number
  readonly deviation: number
  /** Output elements 0, 1, 2, n/3, n/2 and n − 1. */
  readonly elements: readonly [number, number, number, number, number, number]
}

const variants: readonly Variant[] = [
  {
    name: 'RGB with bias',
    options: {},
    full: { tensors: 494, parameters: 26_126_644 },
    tiny: { tensors: 98, parameters: 208_225 },
    mean: 0.406667574,
    deviation: 0.552306047,
    elements: [0.897542619, 1.000649771, 1.165796809, 0.496304484, 0.504276516, -0.044511163],
  },
  {
    name: 'RGB bias-free',
    options: { layerNorm: 'BiasFree' },
    full: { tensors: 406, parameters: 26_111_668 },
    tiny: { tensors: 82, parameters: 207_825 },
    mean: 0.503454007,
    deviation: 1.672950271,
    elements: [0.783983615, 0.905270109, 1.077530381, 0.433039628, 1.518593414, 1.582559096],
  },
  {
    name: 'gray bias-free',
    options: { layerNorm: 'BiasFree', channelsIn: 1, channelsOut: 1 },
    full: { tensors: 406, parameters: 26_109_076 },
    tiny: { tensors: 82, parameters: 207_393 },
    mean: 0.524448477,
    deviation: 4.69424365,
    elements: [-1.942691332, -0.957036053, 1.043291719, 2.077708155, 3.872242221, 0.185445395],
  },
  {
    name: 'dual pixel',
    options: { channelsIn: 6, dualPixel: true },
    full: { tensors: 495, parameters: 26_132_548 },
    tiny: { tensors: 99, parameters: 208_569 },
    mean: 0.044354715,
    deviation: 0.609688597,
    elements: [0.98003318, 1.512791626, 1.510063162, 0.816560884, -0.194026709, -1.081454791],
  },
]

/** Tensor k of the state dict, element i: s = sin(0.7 i + 1.3 k), scaled by the kind of weight. */
function fillByFormula(network: Restormer): void {
  let k = 0
  mapTensors(network, ({ shape }, key) => {
    const sizes = shape as readonly number[]
    const phase = 1.3 * k++
    const perFilter = Math.sqrt(elementCount(sizes.slice(1)))
    const values = Float32Array.from({ length: elementCount(sizes) }, (_, i) => {
      const s = Math.sin(0.7 * i + phase)
      if (key.endsWith('temperature')) return 1 + 0.5 * s
      if (key.endsWith('body.bias')) return 0.1 * s
      return key.endsWith('body.weight') ? 1 + 0.1 * s : s / perFilter
    })
    return hostTensor(float32Data(values, sizes))
  })
}

function formulaNetwork(options: Partial<RestormerOptions>): Restormer {
  const network = new Restormer(emptyInit(), { ...tiny, ...options })
  fillByFormula(network)
  return network
}

/** x[i] = 0.5 + 0.5 sin(0.37 i + 0.011 (i mod 97)), i flat. */
function formulaImage(shape: readonly number[]): TensorData {
  const value = (i: number) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97))
  return float32Data(
    Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
    shape,
  )
}

function runEagerly(network: Restormer, image: TensorData): TensorData {
  moveToTorch(network)
  return noGrad(() => scope(() => network.forward(toTorch(image)))).read()
}

async function runOnnx(network: Restormer, image: TensorData): Promise<TensorData> {
  const graph = trace([{ name: 'image', shape: image.shape }], ({ image }) => ({
    output: network.forward(image as Tensor),
  }))
  const session = await onnxSession(toOnnx(graph))
  try {
    const { output } = await session.run({ image })
    if (!output) throw new Error('no output')
    return output
  } finally {
    await session.close()
  }
}

function checkAgainstReference(output: TensorData, variant: Variant, tolerance: Tolerance): void {
  const values = Array.from(numbersOf(output))
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n)
  const listed = [0, 1, 2, n / 3, n / 2, n - 1].map((at) => values[at] ?? Number.NaN)
  const summary = (numbers: readonly number[]) => float32Data(Float32Array.from(numbers), [numbers.length])
  const expected = summary([variant.mean, variant.deviation, ...variant.elements])
  expect(difference(summary([mean, deviation, ...listed]), expected, tolerance)).toBeUndefined()
}

describe.each(variants)('Restormer, $name', (variant) => {
  const options = { ...restormerDefaults, ...variant.options }
  const image = formulaImage([1, options.channelsIn, 16, 24])

  test('has the official number of tensors and parameters', () => {
    for (const [size, expected] of [
      [options, variant.full],
      [{ ...tiny, ...variant.options }, variant.tiny],
    ] as const) {
      const network = new Restormer(emptyInit(), size)
      expect({ tensors: stateDict(network).size, parameters: parameterCount(network) }).toEqual(expected)
    }
  })

  test.skipIf(libtorchMissing !== undefined)('matches the official values on libtorch', () => {
    checkAgainstReference(runEagerly(formulaNetwork(variant.options), image), variant, eagerTolerance)
  })

  test('matches the official values on ONNX Runtime', async () => {
    checkAgainstReference(await runOnnx(formulaNetwork(variant.options), image), variant, onnxTolerance)
  })
})

describe('Restormer’s keys', () => {
  const shapes = (options: RestormerOptions) =>
    new Map(
      [...stateDict(new Restormer(emptyInit(), options))].map(([key, { shape }]) => [key, shape as number[]]),
    )

  test('are the official ones in the official order', () => {
    const keys = [...shapes(tiny).keys()]
    const block = [
      'norm1.body.weight',
      'norm1.body.bias',
      'attn.temperature',
      'attn.qkv.weight',
      'attn.qkv_dwconv.weight',
      'attn.project_out.weight',
      'norm2.body.weight',
      'norm2.body.bias',
      'ffn.project_in.weight',
      'ffn.dwconv.weight',
      'ffn.project_out.weight',
    ]
    const blocks = (stage: string) => block.map((suffix) => `${stage}.0.${suffix}`)
    expect(keys).toEqual([
      'patch_embed.proj.weight',
      ...blocks('encoder_level1'),
      'down1_2.body.0.weight',
      ...blocks('encoder_level2'),
      'down2_3.body.0.weight',
      ...blocks('encoder_level3'),
      'down3_4.body.0.weight',
      ...blocks('latent'),
      'up4_3.body.0.weight',
      'reduce_chan_level3.weight',
      ...blocks('decoder_level3'),
      'up3_2.body.0.weight',
      'reduce_chan_level2.weight',
      ...blocks('decoder_level2'),
      'up2_1.body.0.weight',
      ...blocks('decoder_level1'),
      ...blocks('refinement'),
      'output.weight',
    ])
  })

  test('have the official shapes at full size', () => {
    const full = shapes({ ...restormerDefaults, channelsIn: 6, dualPixel: true })
    expect(full.get('patch_embed.proj.weight')).toEqual([48, 6, 3, 3])
    expect(full.get('latent.7.ffn.project_in.weight')).toEqual([2042, 384, 1, 1])
    expect(full.get('latent.7.ffn.dwconv.weight')).toEqual([2042, 1, 3, 3])
    expect(full.get('decoder_level1.3.attn.temperature')).toEqual([1, 1, 1])
    expect(full.get('encoder_level3.5.attn.temperature')).toEqual([4, 1, 1])
    expect(full.get('refinement.3.ffn.project_out.weight')).toEqual([96, 255, 1, 1])
    expect(full.get('up4_3.body.0.weight')).toEqual([768, 384, 3, 3])
    expect(full.get('reduce_chan_level2.weight')).toEqual([96, 192, 1, 1])
    expect(full.get('skip_conv.weight')).toEqual([96, 48, 1, 1])
    expect(full.get('output.weight')).toEqual([3, 96, 3, 3])
  })

  test.each([
    ...variants.map(({ name, options }) => [name, options] as const),
    ['dim 24 and uneven blocks', { dim: 24, numBlocks: [2, 3, 3, 4], numRefinementBlocks: 2 }],
    ['an expansion of 2', { ffnExpansion: 2 }],
    ['an expansion of 2.5 and biases', { ffnExpansion: 2.5, bias: true }],
    ['an expansion of 3.999 and other heads', { ffnExpansion: 3.999, heads: [2, 4, 8, 8], dim: 32 }],
    ['a small dual pixel network', { dim: 8, channelsIn: 6, dualPixel: true, numBlocks: [1, 2, 1, 1] }],
    ['gray with bias', { channelsIn: 1, channelsOut: 1, bias: true }],
    ['no refinement', { numRefinementBlocks: 0 }],
  ] as readonly (readonly [string, Partial<RestormerOptions>])[])(
    'determine the options of %s',
    (_, changed) => {
      const options = { ...restormerDefaults, ...changed }
      const found = restormerOptionsFromWeights(shapes(options))
      // Different factors may give the same widths; only the resulting network matters.
      expect({ ...found, ffnExpansion: 0 }).toEqual({ ...options, ffnExpansion: 0 })
      expect(shapes(found)).toEqual(shapes(options))
    },
  )

  test('determine the published expansion factor exactly', () => {
    expect(restormerOptionsFromWeights(shapes(restormerDefaults)).ffnExpansion).toBe(2.66)
  })
})

describe.skipIf(libtorchMissing !== undefined)('Restormer on libtorch', () => {
  test('computes the images of a batch independently', () => {
    const network = formulaNetwork({})
    const pair = formulaImage([2, 3, 16, 24])
    const half = pair.bytes.length / 2
    const single = (i: number) => ({
      ...pair,
      shape: [1, 3, 16, 24],
      bytes: pair.bytes.slice(i * half, (i + 1) * half),
    })
    const together = runEagerly(network, pair)
    const apart = [0, 1].map((i) => runEagerly(network, single(i)).bytes)
    const joined = { ...together, bytes: new Uint8Array(Buffer.concat(apart)) }
    expect(difference(together, joined, batchTolerance)).toBeUndefined()
  })

  test('has finite gradients in every parameter, also for flat images', () => {
    const network = formulaNetwork({})
    moveToTorch(network)
    for (const level of [0, 0.5]) {
      const flat = float32Data(new Float32Array(3 * 16 * 16).fill(level), [1, 3, 16, 16])
      backward(l1Loss(network.forward(toTorch(flat)), toTorch(formulaImage([1, 3, 16, 16]))))
      for (const [key, tensor] of parameters(network)) {
        const gradient = grad(tensor)
        expect(gradient, key).toBeDefined()
        expect(gradient && Array.from(numbersOf(gradient.read())).every(Number.isFinite), key).toBe(true)
      }
    }
  })

  test('overfits one batch', () => {
    let state = 7
    const random = () => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    }
    const network = new Restormer(randomInit(random), tiny)
    moveToTorch(network)
    const target = toTorch(formulaImage([2, 3, 16, 16]))
    const noise = Float32Array.from({ length: 2 * 3 * 256 }, () => random() - 0.5)
    const input = target.add(toTorch(float32Data(noise, [2, 3, 16, 16])))
    const optimizer = adamW(parameters(network), { weightDecay: 1e-4 })
    const step = () =>
      scope(() => {
        optimizer.zeroGrad()
        const loss = l1Loss(network.forward(input), target)
        backward(loss)
        clipGradNorm(parameters(network), 0.01)
        optimizer.step(3e-3)
        return loss
      })
    const first = scalar(step())
    for (let i = 0; i < 60; i++) step()
    const last = scalar(step())
    expect(last).toBeLessThan(first / 2)
  })
})

describe('Restormer traced for any size', () => {
  const sizes = [
    [1, 3, 16, 24],
    [2, 3, 32, 8],
  ] as const

  test.skipIf(libtorchMissing !== undefined)('agrees with libtorch at every stage', async () => {
    const network = formulaNetwork({})
    const graph = trace([{ name: 'image', shape: ['b', 3, 'h', 'w'] }], ({ image }) => {
      const stages: Record<string, Tensor> = {}
      const output = network.forward(image as Tensor, (name, tensor) => {
        stages[name] = tensor
      })
      return { ...stages, output }
    })
    const session = await onnxSession(toOnnx(graph))
    moveToTorch(network)
    for (const size of sizes) {
      const image = formulaImage(size)
      const found = await session.run({ image })
      const compare = (name: string, tensor: Tensor) => {
        const stage = found[name]
        if (!stage) throw new Error(`no output ${name}`)
        expect(
          difference(stage, tensor.read(), onnxTolerance),
          `first stage that differs: ${name}`,
        ).toBeUndefined()
      }
      noGrad(() => compare('output', network.forward(toTorch(image), compare)))
    }
    await session.close()
  })
})
