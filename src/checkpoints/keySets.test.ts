// Files with several sets of tensors: which one is chosen, and how another is selected.

import { describe, expect, it } from 'vitest'
import { buildCheckpoint } from '../../test/golden/containers/buildZip.ts'
import { float32Data } from '../core/data.ts'
import { chosenSet, loadTensor, memorySource } from './checkpoint.ts'
import { toFloat32 } from './convert.ts'
import { openCheckpoint } from './open.ts'
import { encodeSafetensors } from './safetensors.ts'

/** Numbers are tensors of that value, in dictionaries; other values are not weights. */
interface Saved {
  readonly [key: string]: number | string | Saved
}

const text = (value: string) => `X${String.fromCharCode(value.length, 0, 0, 0)}${value}`
const integer = (value: number) => `K${String.fromCharCode(value)}`

function pickled(value: number | string | Saved): string {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'object') {
    const items = Object.entries(value).map(([key, item]) => text(key) + pickled(item))
    return `}(${items.join('')}u`
  }
  const storage = `(${text('storage')}ctorch\nFloatStorage\n${text(String(value))}${text('cpu')}${integer(1)}tQ`
  return `ctorch._utils\n_rebuild_tensor_v2\n(${storage}${integer(0)}(${integer(1)}t(${integer(1)}t\x89)tR`
}

function pthOf(saved: Saved) {
  const pickle = Uint8Array.from(`\x80\x02${pickled(saved)}.`, (char) => char.charCodeAt(0))
  const values = Array.from({ length: 4 }, (_, value) => [
    String(value),
    new Uint8Array(Float32Array.of(value).buffer),
  ])
  return memorySource(buildCheckpoint(pickle, Object.fromEntries(values)), 'x.pth')
}

function safetensorsOf(tensors: Readonly<Record<string, number>>) {
  const entries = Object.entries(tensors).map(
    ([key, value]) => [key, float32Data(Float32Array.of(value), [1])] as const,
  )
  return memorySource(encodeSafetensors(new Map(entries)), 'x.safetensors')
}

/** Set 1 is right in every file. */
const [right, other, third] = [{ 'conv.w': 1 }, { 'conv.w': 2 }, { 'conv.w': 3 }]

const emaNames = [
  ...['ema', 'EMA', 'g_ema', 'params_ema', 'model_ema', 'ema_model', 'ema_state_dict', 'state_dict_ema'],
  ...['net_g_ema', 'netG_EMA', 'model_state_dict_ema', 'generator_ema', 'modelEma', 'ema.params'],
]

const wrapperNames = [
  ...['module.', '_orig_mod.', 'net_g.', 'netG.', 'generator.', 'module.net_g.', 'params.', 'params_ema.'],
  ...['params-ema.', 'g_ema.', 'state_dict.', 'model_state_dict.', 'model.', 'network.', 'net.'],
  ...['module.params.', 'params_ema.module.', 'state_dict.model.', 'model.net_g._orig_mod.'],
]

const files = {
  ...Object.fromEntries(
    emaNames.map((name) => [
      `averages under ${name}`,
      {
        source: pthOf({ state_dict: other, params: third, [name]: right }),
        others: ['state_dict', 'params'],
      },
    ]),
  ),
  'averages in a dictionary of their own': {
    source: pthOf({ model: other, ema: { decay: 'x', shadow: right } }),
    others: ['model'],
  },
  'averages below the root': {
    source: pthOf({ model: { net: other, net_ema: right }, optimizer: { state: {} } }),
    others: ['model.net'],
  },
  'settings named like averages': { source: pthOf({ params: right, ema: { decay: 'x' } }), others: [] },
  'averages by the beginning of keys': {
    source: safetensorsOf({
      'generator.conv.w': 2,
      'generator_ema.conv.w': 1,
      'discriminator.x': 3,
      step: 0,
    }),
    others: ['discriminator', 'generator'],
  },
  'a model averaged by PyTorch': {
    source: pthOf({ model: { n_averaged: 3, 'module.conv.w': 1 } }),
    others: [],
  },
  'averages by the beginning of keys in a state dict': {
    source: pthOf({ state_dict: { 'generator.conv.w': 2, 'generator_ema.conv.w': 1 } }),
    others: ['state_dict.generator'],
  },
  ...Object.fromEntries(
    wrapperNames.flatMap((prefix) => [
      [`the prefix ${prefix}`, { source: pthOf({ state_dict: { [`${prefix}conv.w`]: 1 } }), others: [] }],
      [
        `the prefix ${prefix} in safetensors`,
        { source: safetensorsOf({ [`${prefix}conv.w`]: 1 }), others: [] },
      ],
    ]),
  ),
  'flattened weights and their average': {
    source: safetensorsOf({ 'params.conv.w': 2, 'params_ema.conv.w': 1 }),
    others: ['params'],
  },
  'flattened weights beside an optimizer': {
    source: safetensorsOf({ 'state_dict.module.conv.w': 1, 'optimizer.state.0.exp_avg': 2, epoch: 3 }),
    others: ['optimizer'],
  },
}

function read(source: ReturnType<typeof memorySource>, tensors?: string) {
  const checkpoint = openCheckpoint(source, { tensors })
  return [...checkpoint.tensors].map(([key, stored]) => [key, ...toFloat32(loadTensor(stored))])
}

describe('a file with several sets of tensors', () => {
  it.each(Object.entries(files))('with %s', (_, { source, others }) => {
    expect(read(source)).toEqual([['conv.w', 1]])
    const checkpoint = openCheckpoint(source)
    expect(checkpoint.others).toEqual(others)
    const note = chosenSet(checkpoint)
    if (others.length === 0) expect(note).toBeUndefined()
    else expect(note).toContain(`not those under ${others.join(', ')}; tensors (--tensors) selects others`)
  })

  const gan = pthOf({ state_dict: { g: right, 'g.d': other }, extra: third })
  const flat = safetensorsOf({ 'a.net.conv.w': 1, 'a.net2.conv.w': 2, 'module.conv.w': 3 })

  it.each([
    ['state_dict.g', gan, 1],
    ['state_dict.g.d', gan, 2],
    ['extra', gan, 3],
    ['a.net', flat, 1],
    ['a.net2', flat, 2],
    ['module', flat, 3],
    ['ema', pthOf({ model: other, ema: { decay: 'x', shadow: right } }), 1],
    ['params', pthOf({ params: other, params_ema: right }), 2],
  ])('gives the set named %s', (tensors, source, value) => {
    expect(read(source, tensors)).toEqual([['conv.w', value]])
  })

  it.each(['model.', 'net.', 'ema.'])('keeps %s before a number, as of a sequence', (name) => {
    const source = safetensorsOf({ [`module.${name}0.w`]: 1, [`module.${name}2.w`]: 2 })
    expect(read(source)).toEqual([
      [`${name}0.w`, 1],
      [`${name}2.w`, 2],
    ])
  })

  it.each([
    [
      pthOf({ net_g: right, net_d: other }),
      undefined,
      /^x.pth: contains several sets of tensors, net_g, net_d; choose one with tensors \(--tensors\)$/,
    ],
    [
      pthOf({ model: { net_g: right, net_d: other } }),
      undefined,
      /several sets of tensors, model\.net_g, model\.net_d;/,
    ],
    [
      safetensorsOf({ 'generator.conv.w': 1, 'discriminator.conv.w': 2 }),
      undefined,
      /several sets of tensors, discriminator, generator;/,
    ],
    [
      pthOf({ state_dict: { 'G.conv.w': 1, 'D.conv.w': 2, step: 3 } }),
      undefined,
      /several sets of tensors, state_dict\.G, state_dict\.D;/,
    ],
    [
      pthOf({ state_dict: { 'generator.conv.w': 1 }, epoch: 'x' }),
      'generator',
      /found the keys state_dict, epoch; did you mean state_dict\.generator\?$/,
    ],
    [pthOf({ net_g: right, net_d: other }), 'netg', /did you mean net_g\?$/],
    [pthOf({ g_ema: right, d_ema: other }), undefined, /several sets of tensors, g_ema, d_ema/],
    [gan, 'state_dict.x', /^x.pth: expected a key 'x', found the keys g, g\.d/],
    [gan, 'params', /^x.pth: expected a key 'params', found the keys state_dict, extra$/],
    [flat, 'b', /^x.safetensors: expected keys that begin with 'b\.', found a, module$/],
    [pthOf({ epoch: 'x' }), undefined, /^x.pth: expected tensors, found the keys epoch$/],
  ])('is refused where none is right (%#)', (source, tensors, message) => {
    expect(() => read(source, tensors)).toThrow(message)
  })
})
