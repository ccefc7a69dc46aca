// From a checkpoint to a network: which one it is, with which options, filled with its weights.

import { type Checkpoint, loadTensor, type StoredTensor } from '../checkpoints/checkpoint.ts'
import { clipTensors, fitPositions, openAiExtras } from '../checkpoints/clipLayouts.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import { formatShape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import type { Tensor } from '../core/tensor.ts'
import {
  Clip,
  type ClipOptions,
  CustomTextClip,
  clipDefaults,
  clipOptionsFromWeights,
} from '../models/clip/clip.ts'
import {
  ConditionalNafnet,
  conditionalNafnetDefaults,
  conditionalNafnetOptionsFromWeights,
} from '../models/conditionalNafnet/conditionalNafnet.ts'
import {
  ConditionalUnet,
  type Conditioning,
  conditionalUnetDefaults,
  conditionalUnetOptionsFromWeights,
  type UnetInputs,
} from '../models/conditionalUnet/conditionalUnet.ts'
import { DaClip, daClipOptionsFromWeights } from '../models/daclip/daclip.ts'
import { Dasr, dasrDefaults, dasrOptionsFromWeights } from '../models/dasr/dasr.ts'
import { Ipt, type IptOptions, iptDefaults, iptOptionsFromWeights, iptTaskIndex } from '../models/ipt/ipt.ts'
import {
  LatentUnet,
  latentUnetDefaults,
  latentUnetOptionsFromWeights,
} from '../models/latentUnet/latentUnet.ts'
import { Light, lightDefaults, lightOptionsFromWeights } from '../models/light/light.ts'
import {
  LightDiffusion,
  lightDiffusionDefaults,
  lightDiffusionOptionsFromWeights,
} from '../models/lightDiffusion/lightDiffusion.ts'
import {
  type Builder,
  builder,
  input,
  type Options,
  type Tap,
  type Tensors,
} from '../models/networkDescriptor.ts'
import { Restormer, restormerDefaults, restormerOptionsFromWeights } from '../models/restormer/restormer.ts'
import { emptyInit } from '../nn/init.ts'
import { loadWeights, type WeightSource } from '../nn/module.ts'
import { cards, type ModelCard } from './cards.ts'
import { detectModel, type ModelId } from './networkSignatures.ts'

export { type ClipOptions, clipDefaults } from '../models/clip/clip.ts'
export { degradationWords, maxLogitScale } from '../models/daclip/daclip.ts'
export type { Builder } from '../models/networkDescriptor.ts'

/** Conditioning as the tensors of a graph, and back. */
function conditioningTensors({ prompt, content }: Conditioning): Tensors {
  const [contentDown, contentMiddle, contentUp] = content ?? []
  const named = { prompt, contentDown, contentMiddle, contentUp }
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, tensor]) => (tensor ? [[name, tensor]] : [])),
  )
}

function conditioningOf({ prompt, contentDown, contentMiddle, contentUp }: Tensors): Conditioning {
  const content = contentDown && contentMiddle && contentUp
  return { prompt, content: content ? [contentDown, contentMiddle, contentUp] : undefined }
}

function unetInputs(inputs: Tensors): UnetInputs {
  return { state: input(inputs, 'state'), degraded: inputs.degraded, time: input(inputs, 'time') }
}

export const builders: Readonly<Record<ModelId, Builder>> = {
  restormer: builder({
    optionsFromWeights: restormerOptionsFromWeights,
    defaults: restormerDefaults,
    create: (init, options) => new Restormer(init, options),
    inputs: { x: 'b channelsIn h w' },
    outputs: ['y'],
    forward: (network, inputs, { tap }) => ({ y: network.forward(input(inputs, 'x'), tap) }),
    size: { multipleOf: 8, minimum: 8 },
    scale: () => 1,
    // The process peaked at 786, 1099 and 2089 MB for 64², 256² and 512² pixels: 766 MB and 5.05 KB a pixel, here with a margin.
    memory: () => ({ fixedBytes: 800e6, bytesPerPixel: 6000 }),
    channels: ({ channelsIn, channelsOut }) => ({ input: channelsIn, output: channelsOut }),
    license: 'academic',
  }),
  light: builder({
    optionsFromWeights: lightOptionsFromWeights,
    defaults: lightDefaults,
    create: (init, options) => new Light(init, options),
    inputs: { x: 'b channels h w' },
    outputs: ['y'],
    forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
    size: { multipleOf: 8, minimum: 8 },
    scale: () => 1,
    memory: () => ({ fixedBytes: 150e6, bytesPerPixel: 900 }),
    channels: ({ channels }) => ({ input: channels, output: channels }),
    license: 'apache',
  }),
  'light-diffusion': builder({
    optionsFromWeights: lightDiffusionOptionsFromWeights,
    defaults: lightDiffusionDefaults,
    create: (init, options) => new LightDiffusion(init, options),
    inputs: { state: 'b channels h w', degraded: 'b channels h w', time: 'b', degradation: 'b contextWidth' },
    outputs: ['prediction'],
    forward: (network, inputs) => ({
      prediction: network.forward(
        unetInputs(inputs),
        network.condition({ degradation: input(inputs, 'degradation') }),
      ),
    }),
    parts: {
      condition: (network, inputs) => ({
        prompt: network.condition({ degradation: input(inputs, 'degradation') }),
      }),
      predict: (network, inputs) => ({
        prediction: network.forward(unetInputs(inputs), input(inputs, 'prompt')),
      }),
    },
    size: { multipleOf: 1, minimum: 1 },
    padsTo: () => 8,
    scale: () => 1,
    // The process peaked at 0.25, 0.34 and 0.83 GB for 256², 512² and 1024² pixels.
    memory: () => ({ fixedBytes: 200e6, bytesPerPixel: 700 }),
    channels: ({ channels }) => ({ input: channels, output: channels }),
    license: 'apache',
  }),
  ipt: builder<IptOptions & { readonly task: string }, Ipt>({
    optionsFromWeights: (shapes) => ({ ...iptOptionsFromWeights(shapes), task: '' }),
    // What is asked of the network, by name or index; '' where its weights have only one task.
    defaults: { ...iptDefaults, task: '' },
    create: (init, options) => new Ipt(init, options),
    inputs: { x: 'b 3 p p' },
    outputs: ['y'],
    forward: (network, inputs, { options, tap }) => ({
      y: network.forward(input(inputs, 'x'), iptTaskIndex(options, options.task), tap),
    }),
    size: { multipleOf: 1, minimum: 1 },
    window: ({ patchSize }) => patchSize,
    scale: (options) => options.scales[iptTaskIndex(options, options.task)] ?? 1,
    ignoredKeys: ['body.position_encoding.position_ids'],
    // The process peaked at 1.89 GB with 8 windows in a run; the sum over windows and the result take 24 bytes a pixel of the output.
    memory: () => ({ fixedBytes: 2e9, bytesPerPixel: 600 }),
    channels: () => ({ input: 3, output: 3 }),
    license: 'apache',
  }),
  dasr: builder({
    optionsFromWeights: dasrOptionsFromWeights,
    defaults: dasrDefaults,
    create: (init, options) => new Dasr(init, options),
    inputs: { x: 'b 3 h w' },
    outputs: ['y', 'fea'],
    forward: (network, inputs, { tap }) => {
      const fea = network.encode(input(inputs, 'x'), tap)
      return { y: network.restore(input(inputs, 'x'), fea, tap), fea }
    },
    parts: {
      // Once for a photo, whose tiles are then restored with it: fea [1 d] holds for all of a batch.
      encode: (network, inputs) => ({ fea: network.encode(input(inputs, 'x')) }),
      restore: (network, inputs) => ({ y: network.restore(input(inputs, 'x'), input(inputs, 'fea')) }),
    },
    size: { multipleOf: 1, minimum: 1 },
    scale: ({ scale }) => scale,
    // ×4 peaked at 306, 682 and 1312 MB for 64², 192² and 256² pixels of the input: 239 MB and 16.4 KB a pixel.
    memory: () => ({ fixedBytes: 250e6, bytesPerPixel: 17_000 }),
    channels: () => ({ input: 3, output: 3 }),
    license: 'mit',
  }),
  'conditional-unet': builder({
    optionsFromWeights: conditionalUnetOptionsFromWeights,
    defaults: conditionalUnetDefaults,
    create: (init, options) => new ConditionalUnet(init, options),
    inputs: {
      state: 'b channelsIn h w',
      degraded: 'b channelsIn h w',
      time: 'b',
      content: 'b contextWidth',
      degradation: 'b contextWidth',
    },
    takes: ({ isConditional, usesContent, usesDegradation }) => [
      ...['state', ...(isConditional ? ['degraded'] : []), 'time'],
      ...[...(usesContent ? ['content'] : []), ...(usesDegradation ? ['degradation'] : [])],
    ],
    outputs: ['prediction'],
    forward: (network, inputs, { tap }) => ({
      prediction: network.forward(unetInputs(inputs), network.condition(inputs, tap), tap),
    }),
    parts: {
      // Once for a photo; one graph of `predict` then serves all steps and tiles.
      condition: (network, inputs) => conditioningTensors(network.condition(inputs)),
      predict: (network, inputs) => ({
        prediction: network.forward(unetInputs(inputs), conditioningOf(inputs)),
      }),
    },
    size: { multipleOf: 1, minimum: 1 },
    padsTo: ({ multipliers }) => 2 ** (multipliers.length - 1),
    scale: () => 1,
    // The process peaked at 0.99, 1.33 and 2.24 GB for 128², 256² and 512² pixels with the universal network's 49 million weights, and
    // at 2.4 GB with the 137 million of IR-SDE's own: 4.6 KB a pixel for a width of 64, and four times the bytes of the weights.
    memory: ({ width, multipliers, usesContent }) => {
      const weights = (usesContent ? 140 : 100) * multipliers.reduce((sum, m) => sum + (m * width) ** 2, 0)
      return { fixedBytes: 200e6 + 17 * weights, bytesPerPixel: 94 * width }
    },
    channels: ({ channelsIn, channelsOut }) => ({ input: channelsIn, output: channelsOut }),
    license: 'mit',
  }),
  'conditional-nafnet': builder({
    optionsFromWeights: conditionalNafnetOptionsFromWeights,
    defaults: conditionalNafnetDefaults,
    create: (init, options) => new ConditionalNafnet(init, options),
    inputs: { state: 'b channels h w', degraded: 'b channels h w', time: 'b' },
    takes: ({ isConditional }) => ['state', ...(isConditional ? ['degraded'] : []), 'time'],
    outputs: ['prediction'],
    forward: (network, inputs, { tap }) => ({ prediction: network.forward(unetInputs(inputs), tap) }),
    parts: { predict: (network, inputs) => ({ prediction: network.forward(unetInputs(inputs)) }) },
    size: { multipleOf: 1, minimum: 1 },
    padsTo: ({ encoderBlocks }) => 2 ** encoderBlocks.length,
    scale: () => 1,
    memory: () => ({ fixedBytes: 1.5e9, bytesPerPixel: 4000 }),
    channels: ({ channels }) => ({ input: channels, output: channels }),
    license: 'mit',
  }),
  clip: builder<ClipOptions, Clip | CustomTextClip>({
    optionsFromWeights: clipOptionsFromWeights,
    defaults: clipDefaults,
    create: (init, options) =>
      options.hasTextPrefix ? new CustomTextClip(init, options) : new Clip(init, options),
    inputs: { image: 'b 3 p p', ids: 'b n' },
    outputs: ['imageFeatures', 'textFeatures'],
    forward: (network, inputs, { tap }) => ({
      imageFeatures: network.encodeImage(input(inputs, 'image'), tap),
      textFeatures: network.encodeText(input(inputs, 'ids'), tap),
    }),
    parts: {
      image: (network, inputs) => ({ imageFeatures: network.encodeImage(input(inputs, 'image')) }),
      text: (network, inputs) => ({ textFeatures: network.encodeText(input(inputs, 'ids')) }),
    },
    size: { multipleOf: 1, minimum: 1 },
    window: ({ imageSide }) => imageSide,
    scale: () => 1,
    ignoredKeys: openAiExtras,
    fitWeights: fitPositions,
    memory: () => ({ fixedBytes: 1.5e9, bytesPerPixel: 0 }),
    channels: () => ({ input: 3, output: 3 }),
    license: 'mit',
  }),
  daclip: builder({
    optionsFromWeights: daClipOptionsFromWeights,
    defaults: clipDefaults,
    create: (init, options) => new DaClip(init, options),
    inputs: { image: 'b 3 p p' },
    outputs: ['content', 'degradation'],
    forward: (network, inputs, { tap }) => ({ ...network.encodeImage(input(inputs, 'image'), tap) }),
    parts: {
      image: (network, inputs) => ({ imageFeatures: network.clip.encodeImage(input(inputs, 'image')) }),
      text: (network, inputs) => ({ textFeatures: network.clip.encodeText(input(inputs, 'ids')) }),
    },
    size: { multipleOf: 1, minimum: 1 },
    window: ({ imageSide }) => imageSide,
    scale: () => 1,
    fitWeights: fitPositions,
    memory: () => ({ fixedBytes: 2e9, bytesPerPixel: 0 }),
    channels: () => ({ input: 3, output: 3 }),
    license: 'mit',
  }),
  'latent-unet': builder({
    optionsFromWeights: latentUnetOptionsFromWeights,
    defaults: latentUnetDefaults,
    create: (init, options) => new LatentUnet(init, options),
    inputs: { x: 'b channelsIn h w' },
    outputs: ['y'],
    forward: (network, inputs, { tap }) => ({ y: network.forward(input(inputs, 'x'), tap) }),
    parts: {
      encode: (network, inputs) => {
        const { latent, hidden } = network.encode(input(inputs, 'x'))
        return { latent, ...Object.fromEntries(hidden.map((tensor, i) => [`hidden${i}`, tensor])) }
      },
      decode: (network, inputs) => {
        const hidden = Array.from({ length: Object.keys(inputs).length - 1 }, (_, i) =>
          input(inputs, `hidden${i}`),
        )
        return { y: network.decode({ latent: input(inputs, 'latent'), hidden }) }
      },
    },
    size: { multipleOf: 1, minimum: 1 },
    padsTo: ({ multipliers }) => 2 ** multipliers.length,
    scale: () => 1,
    memory: () => ({ fixedBytes: 300e6, bytesPerPixel: 1000 }),
    channels: ({ channelsIn, channelsOut }) => ({ input: channelsIn, output: channelsOut }),
    license: 'mit',
  }),
}

export interface LoadedModel {
  readonly id: ModelId
  readonly options: Options
  readonly builder: Builder
  /** The network with its weights in host memory. */
  readonly network: object
  /** Named inputs of `forward` with their layouts. */
  readonly inputs: Readonly<Record<string, string>>
  /** Named inputs to named outputs, eager or traced; inputs are checked. */
  forward(inputs: Tensors, tap?: Tap): Tensors
  /** The same network with a part of it as `forward`: a session runs it alone. */
  part(name: string): LoadedModel
}

/** What a checkpoint is, without reading its weights. `given` overrides options that shapes cannot tell. */
export function recognize(
  checkpoint: Checkpoint,
  given: Options = {},
): { id: ModelId; options: Options; builder: Builder } {
  const tensors = clipTensors(checkpoint)
  const id = detectModel(tensors.keys())
  const entry = builders[id]
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(entry.defaults, name))
  if (unknown.length > 0) {
    const known = Object.keys(entry.defaults).join(', ')
    throw new RestoreError('usage', `options: expected names among ${known}, got ${unknown.join(', ')}`)
  }
  for (const [name, value] of Object.entries(given)) {
    const usual: unknown = Reflect.get(entry.defaults, name)
    if (isLike(value, usual)) continue
    const [wanted, got] = [JSON.stringify(usual), JSON.stringify(value)]
    throw new RestoreError('usage', `options: expected ${name} of the kind ${wanted}, got ${got}`)
  }
  const shapes = new Map([...tensors].map(([key, { shape }]) => [key, shape]))
  return { id, options: { ...entry.optionsFromWeights(shapes), ...given }, builder: entry }
}

/** Whether a value has the type of another and, for a list, its length. */
function isLike(value: unknown, usual: unknown): boolean {
  if (!Array.isArray(usual)) return typeof value === typeof usual
  return (
    Array.isArray(value) &&
    value.length === usual.length &&
    usual.every((item, index) => isLike(value[index], item))
  )
}

/** Builds the network a checkpoint belongs to and fills it; strict about keys, shapes and finite values. */
export function loadModel(checkpoint: Checkpoint, given: Options = {}): LoadedModel {
  const { id, options, builder: entry } = recognize(checkpoint, given)
  const network = entry.create(emptyInit(), options)
  const tensors = clipTensors(checkpoint)
  const fitted = entry.adaptWeights?.(tensors, options) ?? tensors
  const said = [...fitted].filter(([key]) => !entry.ignoredKeys?.includes(key))
  loadWeights(network, new Map(said.map(([key, stored]) => [key, weightSource(stored)])))
  const taken = entry.inputNames(options)
  const layouts = Object.fromEntries(taken.map((name) => [name, entry.inputs[name] ?? '']))
  const forward = (inputs: Tensors, tap?: Tap) => {
    for (const [name, layout] of Object.entries(layouts)) {
      if (layout.endsWith('h w') || layout.endsWith('p p'))
        checkImage(name, input(inputs, name), entry, options)
      else checkLayout(name, input(inputs, name), layout, options)
    }
    return entry.forward(network, inputs, { options, tap })
  }
  const part = (name: string): LoadedModel => {
    const run = entry.parts?.[name]
    if (run) return { ...model, forward: (inputs) => run(network, inputs, options) }
    const known = Object.keys(entry.parts ?? {}).join(', ') || 'none'
    throw new RestoreError('usage', `${id}: expected one of its parts (${known}), got ${name}`)
  }
  const model = { id, options, builder: entry, network, inputs: layouts, forward, part }
  return model
}

/** Refuses a tensor of another rank, or with another size where the layout names an option. */
function checkLayout(name: string, { shape }: Tensor, layout: string, options: Options): void {
  const sizes = layout.split(' ').map((letter) => Reflect.get(options, letter) ?? letter)
  if (
    shape.length === sizes.length &&
    sizes.every((size, i) => typeof size !== 'number' || size === shape[i])
  )
    return
  throw new RestoreError('shape', `${name}: expected [${sizes.join(' ')}], got ${formatShape(shape)}`)
}

/** Refuses what the network would stumble over deep inside; named sizes of a traced graph are taken on trust. */
function checkImage(name: string, { shape }: Tensor, builder: Builder, options: Options): void {
  const { multipleOf, minimum } = builder.size
  const channels = builder.channels(options).input
  const window = builder.fixedSide?.(options)
  const [, c, ...sides] = shape
  const fits = sides.every(
    (side) =>
      typeof side === 'string' ||
      (side % multipleOf === 0 && side >= minimum && (window === undefined || side === window)),
  )
  if (shape.length === 4 && c === channels && fits) return
  const wanted =
    window === undefined
      ? `[b ${channels} h w] with h and w multiples of ${multipleOf} and at least ${minimum}`
      : `[b ${channels} ${window} ${window}]`
  throw new RestoreError('shape', `${name}: expected ${wanted}, got ${formatShape(shape)}`)
}

function weightSource(stored: StoredTensor): WeightSource {
  return { shape: stored.shape, floats: () => toFloat32(loadTensor(stored)) }
}

/** The card with this id; an unknown one lists those that exist. */
export function findCard(id: string): ModelCard {
  const card = cards.find((candidate) => candidate.id === id)
  if (card) return card
  throw new RestoreError('usage', `model: expected one of ${cards.map((c) => c.id).join(', ')}, got ${id}`)
}
