// What a network tells of itself so that it can be built, loaded and run: one entry for each in builders.ts.

import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { RestoreError } from '../core/errors.ts'
import type { Tensor } from '../core/tensor.ts'
import type { Init } from '../nn/init.ts'
import type { KeyShapes } from '../nn/keyShapes.ts'
import type { LicenseId } from '../registry/cards.ts'

export type Options = object
export type Tensors = Readonly<Record<string, Tensor>>

export interface Memory {
  readonly fixedBytes: number
  readonly bytesPerPixel: number
}

export interface Builder {
  /** Options that the key shapes of a checkpoint imply. */
  optionsFromWeights(shapes: KeyShapes): Options
  readonly defaults: Options
  create(init: Init, options: Options): object
  /** Named inputs of `forward`, each with its layout: letters for sizes that are free, names of options for others. */
  readonly inputs: Readonly<Record<string, string>>
  /** Those among `inputs` that a network with these options takes. */
  inputNames(options: Options): readonly string[]
  readonly outputs: readonly string[]
  forward(network: object, inputs: Tensors, call: Call): Tensors
  /** What runs by itself besides `forward`: a tower, or the guess at one step of sampling. */
  readonly parts?: Readonly<Record<string, (network: object, inputs: Tensors, options: Options) => Tensors>>
  /** Height and width that the network accepts. */
  readonly size: { readonly multipleOf: number; readonly minimum: number }
  /** What the network itself continues sides to a multiple of, where it does. */
  padToMultiple?(options: Options): number
  /** The only side that the network accepts, where there is one: pictures are cut into such windows. */
  fixedSide?(options: Options): number
  /** Side of the output over that of the input. */
  scale(options: Options): number
  /** Keys of a checkpoint that say nothing. */
  readonly ignoredKeys?: readonly string[]
  /** Fits weights to options that are given and change a shape. */
  adaptWeights?(tensors: Checkpoint['tensors'], options: Options): Checkpoint['tensors']
  /** Estimated peak of a run at float32 on ONNX Runtime's CPU kernels. */
  memory(options: Options): Memory
  channels(options: Options): { readonly input: number; readonly output: number }
  readonly license: LicenseId
}

/** Receives named intermediate results, for parity checks. */
export type Tap = (name: string, tensor: Tensor) => void

interface Call<O = Options> {
  readonly options: O
  readonly tap?: Tap | undefined
}

/** One network's builder, typed where it is written and the same for all where it is used. */
export function builder<O extends object, N extends object>(entry: {
  readonly optionsFromWeights: (shapes: KeyShapes) => O
  readonly defaults: O
  readonly create: (init: Init, options: O) => N
  readonly inputs: Readonly<Record<string, string>>
  readonly outputs: readonly string[]
  /** All inputs unless given. */
  readonly takes?: (options: O) => readonly string[]
  readonly forward: (network: N, inputs: Tensors, call: Call<O>) => Tensors
  readonly parts?: Readonly<Record<string, (network: N, inputs: Tensors, options: O) => Tensors>>
  readonly size: Builder['size']
  readonly padsTo?: (options: O) => number
  readonly window?: (options: O) => number
  readonly scale: (options: O) => number
  readonly ignoredKeys?: readonly string[]
  readonly fitWeights?: (tensors: Checkpoint['tensors'], options: O) => Checkpoint['tensors']
  readonly memory: (options: O) => Memory
  readonly channels: (options: O) => { readonly input: number; readonly output: number }
  readonly license: LicenseId
}): Builder {
  const { window, takes, padsTo, fitWeights, parts = {}, ...rest } = entry
  const complete = (options: Options): O => ({ ...entry.defaults, ...options })
  return {
    ...rest,
    optionsFromWeights: (shapes) => ({ ...entry.optionsFromWeights(shapes) }),
    defaults: { ...entry.defaults },
    create: (init, options) => entry.create(init, complete(options)),
    channels: (options) => entry.channels(complete(options)),
    memory: (options) => entry.memory(complete(options)),
    scale: (options) => entry.scale(complete(options)),
    inputNames: (options) => takes?.(complete(options)) ?? Object.keys(entry.inputs),
    ...(window ? { fixedSide: (options: Options) => window(complete(options)) } : {}),
    ...(fitWeights
      ? {
          adaptWeights: (tensors: Checkpoint['tensors'], options: Options) =>
            fitWeights(tensors, complete(options)),
        }
      : {}),
    ...(padsTo ? { padToMultiple: (options: Options) => padsTo(complete(options)) } : {}),
    parts: Object.fromEntries(
      Object.entries(parts).map(([name, part]) => [
        name,
        (network: object, inputs: Tensors, options: Options) => part(network as N, inputs, complete(options)),
      ]),
    ),
    forward: (network, inputs, { options, tap }) =>
      entry.forward(network as N, inputs, { options: complete(options), tap }),
  }
}

/** A named input, which has to be there. */
export function input(inputs: Tensors, name: string): Tensor {
  const tensor = inputs[name]
  if (tensor) return tensor
  throw new RestoreError(
    'usage',
    `forward: expected an input named '${name}', got ${Object.keys(inputs).join(', ') || 'none'}`,
  )
}
