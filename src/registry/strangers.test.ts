import { describe, expect, test } from 'vitest'
import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { emptyInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { detectNetwork } from './networkSignatures.ts'
import { networks } from './networks.ts'
import { describeStranger } from './strangers.ts'

const stored = { dtype: 'float32', shape: [1], read: () => new Uint8Array(4) } as const

function checkpoint(keys: Iterable<string>): Checkpoint {
  const tensors = new Map([...keys].map((key) => [key, stored]))
  return {
    name: 'file.pth',
    tensors,
    metadata: new Map(),
    container: 'zip',
    path: [],
    prefix: '',
    others: [],
  }
}

describe('files of other kinds are named', () => {
  test.each([
    ['KBNet', ['intro.weight', 'ending.weight', 'encoders.0.0.conv1.weight', 'encoders.0.0.attgamma']],
    ['CodeFormer', ['position_emb', 'quantize.embedding.weight', 'idx_pred_layer.1.weight']],
    ['GFPGAN', ['toRGB.0.weight', 'stylegan_decoder.style_mlp.1.weight']],
  ])('%s, a restorer that Limpid does not have', (name, keys) => {
    expect(() => detectNetwork(checkpoint(keys))).toThrow(
      `they look like ${name}, a restorer that Limpid does not have: an ONNX file of it runs`,
    )
  })

  test.each([
    ['a LoRA', 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight'],
    ['a LoRA', 'transformer.single_blocks.0.attn.to_q.lora_A.weight'],
    ['a Stable Diffusion checkpoint', 'model.diffusion_model.input_blocks.0.0.weight'],
    ['a Flux checkpoint', 'double_blocks.0.img_attn.qkv.weight'],
    ['the network of a diffusion model', 'down_blocks.0.resnets.0.conv1.weight'],
    ['a VAE', 'encoder.down_blocks.0.resnets.0.conv1.weight'],
    ['a ControlNet', 'control_model.input_blocks.0.0.weight'],
    ['a YOLO detector', 'model.22.dfl.conv.weight'],
    ['an image classifier', 'layer1.0.conv1.weight'],
  ])('%s by %s', (name, key) => {
    expect(() => detectNetwork(checkpoint([key]))).toThrow(
      new RegExp(`they look like ${name}.*restores no photo`),
    )
  })

  test('keys that tell nothing get the list of networks', () => {
    expect(() => detectNetwork(checkpoint(['w']))).toThrow('expected a checkpoint of restormer, ')
  })
})

test.each(networks.map((network) => [network.id, network] as const))('%s is no stranger', (id, network) => {
  const options = id === 'ipt' ? { task: '0' } : {}
  const keys = stateDict(network.fromOptions(options).create(emptyInit()).network).keys()
  expect(describeStranger(checkpoint(keys).tensors)?.isRestorer ?? false).toBe(false)
})
