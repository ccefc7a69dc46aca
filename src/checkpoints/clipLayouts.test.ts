import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { float32Data, type TensorData, viewAs } from '../core/data.ts'
import { Clip, type ClipOptions, clipDefaults, clipOptionsFromWeights } from '../models/clip/clip.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { describeNetwork, loadModel } from '../registry/loadModel.ts'
import { type Checkpoint, loadTensor, type StoredTensor } from './checkpoint.ts'
import { clipTensors, fitPositions, resizePositions } from './clipLayouts.ts'

const options: ClipOptions = {
  ...clipDefaults,
  features: 6,
  imageSize: [16, 16],
  patch: 4,
  visionWidth: 8,
  visionLayers: 2,
  visionHeads: 2,
  contextLength: 5,
  vocabulary: 11,
  textWidth: 4,
  textLayers: 1,
  textHeads: 1,
}
let seed = 1
const network = new Clip(
  randomInit(() => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }),
  options,
)
const weights = new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))

const stored = (data: TensorData): StoredTensor => ({ ...data, read: () => data.bytes })
const checkpoint = (
  tensors: Iterable<readonly [string, TensorData]>,
  container: Checkpoint['container'] = 'zip',
): Checkpoint => ({
  tensors: new Map([...tensors].map(([key, data]) => [key, stored(data)])),
  metadata: new Map(),
  container,
  path: [],
  prefix: '',
  name: 'x',
  others: [],
})
const floats = ({ bytes }: TensorData) => viewAs(bytes, Float32Array)

/** The weights under the keys of Hugging Face's transformers. */
function huggingFace(): Map<string, TensorData> {
  const names: Record<string, string> = {
    positional_embedding: 'text_model.embeddings.position_embedding.weight',
    'token_embedding.weight': 'text_model.embeddings.token_embedding.weight',
    text_projection: 'text_projection.weight',
    'visual.proj': 'visual_projection.weight',
    'visual.class_embedding': 'vision_model.embeddings.class_embedding',
    'visual.positional_embedding': 'vision_model.embeddings.position_embedding.weight',
    'visual.conv1.weight': 'vision_model.embeddings.patch_embedding.weight',
  }
  const found = new Map<string, TensorData>()
  for (const [key, data] of weights) {
    const name =
      names[key] ??
      key
        .replace('visual.transformer.resblocks', 'vision_model.encoder.layers')
        .replace('transformer.resblocks', 'text_model.encoder.layers')
        .replace('visual.ln_pre', 'vision_model.pre_layrnorm')
        .replace('visual.ln_post', 'vision_model.post_layernorm')
        .replace('ln_final', 'text_model.final_layer_norm')
        .replace('ln_', 'layer_norm')
        .replace('mlp.c_fc', 'mlp.fc1')
        .replace('mlp.c_proj', 'mlp.fc2')
        .replace('attn.out_proj', 'self_attn.out_proj')
    if (key.endsWith('proj') || key === 'text_projection') {
      const [rows = 0, columns = 0] = data.shape
      const values = Float32Array.from(
        { length: rows * columns },
        (_, i) => floats(data)[(i % rows) * columns + Math.floor(i / rows)] as number,
      )
      found.set(name, float32Data(values, [columns, rows]))
    } else if (key.includes('in_proj')) {
      const [rows = 0, ...rest] = data.shape
      const part = data.bytes.length / 3
      for (const [i, letter] of ['q', 'k', 'v'].entries())
        found.set(name.replace('attn.in_proj_', `self_attn.${letter}_proj.`), {
          dtype: 'float32',
          shape: [rows / 3, ...rest],
          bytes: data.bytes.slice(i * part, (i + 1) * part),
        })
    } else found.set(name, data)
  }
  return found
}

describe('a CLIP checkpoint', () => {
  const cardOptions = { visionHeads: 2 }

  test('of OpenCLIP determines its options', () => {
    const shapes = new Map([...weights].map(([key, { shape }]) => [key, shape]))
    expect({ ...clipOptionsFromWeights(shapes), visionHeads: 2 }).toEqual(options)
  })

  test('of transformers loads as the same network, with OpenAI’s activation', () => {
    const model = loadModel(checkpoint(huggingFace()), cardOptions)
    expect(model.options).toEqual({ ...options, activation: 'quickGelu' })
    for (const [key, tensor] of stateDict(model.network))
      expect(floats(tensor.read()), key).toEqual(floats(weights.get(key) as TensorData))
  })

  test('of transformers with a missing tensor is rejected with the tensor’s original name', () => {
    const tensors = huggingFace()
    tensors.delete('vision_model.encoder.layers.1.self_attn.k_proj.bias')
    expect(() => clipTensors(checkpoint(tensors))).toThrow(
      'expected a key vision_model.encoder.layers.1.self_attn.k_proj.bias, found none',
    )
  })

  test('of OpenAI, in TorchScript, loads without its masks and with QuickGELU', () => {
    const mask = float32Data(new Float32Array(25), [5, 5])
    const script = checkpoint([...weights, ['transformer.resblocks.0.attn_mask', mask]], 'torchscript')
    const model = loadModel(script, cardOptions)
    expect(model.options).toMatchObject({ activation: 'quickGelu' })
    const resolution: TensorData = { dtype: 'int64', shape: [], bytes: new Uint8Array(8) }
    const zip = checkpoint([...weights, ['input_resolution', resolution]])
    expect(describeNetwork(zip, cardOptions).options).toMatchObject({ activation: 'quickGelu' })
  })

  test('for another image size has its positions resized', () => {
    const model = loadModel(checkpoint(weights), { ...cardOptions, imageSize: [24, 24] })
    const resized = stateDict(model.network).get('visual.positional_embedding')
    expect(resized?.shape).toEqual([37, 8])
    expect(model.size.fixedSize).toEqual([24, 24])
    const { positional_embedding: before } = network.visual
    expect(floats(resized!.read()).slice(0, 8)).toEqual(floats(before.read()).slice(0, 8))
    const unchanged = fitPositions(checkpoint(weights).tensors, { imageSize: [16, 16], patch: 4 }).get(
      'visual.positional_embedding',
    )
    expect(unchanged?.shape).toEqual([17, 8])
    const wide = loadModel(checkpoint(weights), { ...cardOptions, imageSize: [12, 20] })
    expect(stateDict(wide.network).get('visual.positional_embedding')?.shape).toEqual([16, 8])
    expect(wide.size.fixedSize).toEqual([12, 20])
  })

  test('for images that are not square asks for their size', () => {
    const key = 'visual.positional_embedding'
    const { dtype, bytes } = weights.get(key)!
    const rows = { dtype, shape: [16, 8], bytes: bytes.slice(0, 16 * 8 * 4) }
    const rectangular = checkpoint(new Map([...weights, [key, rows]]))
    expect(() => loadModel(rectangular, cardOptions)).toThrow(
      'visual.positional_embedding: expected positions of a square grid or of 4 x 4 patches, got 15; pass the height and width of the images as option imageSize',
    )
    const { size } = loadModel(rectangular, { ...cardOptions, imageSize: [12, 20] })
    expect(size.fixedSize).toEqual([12, 20])
  })
})

interface Golden {
  readonly positions: readonly { from: number; to: readonly [number, number]; values: readonly number[] }[]
}

const { positions } = JSON.parse(
  readFileSync(new URL('../../test/golden/clip/clip.json', import.meta.url), 'utf8'),
) as Golden

test.each(positions)('positions are resized from a grid of $from to $to as in PyTorch', (golden) => {
  const count = (1 + golden.from ** 2) * 2
  const table = float32Data(
    Float32Array.from({ length: count }, (_, i) => Math.sin(0.7 * i)),
    [count / 2, 2],
  )
  const resized = floats(loadTensor(resizePositions(stored(table), golden.to)))
  expect(resized.length).toBe(golden.values.length)
  for (const [i, value] of golden.values.entries()) expect(resized[i]).toBeCloseTo(value, 5)
})
