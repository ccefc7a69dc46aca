// How a network describes itself: `defineNetwork` at the end of its file, code-free facts in the cards.ts
// beside it, and one line in registry/networks.ts. Descriptors are data and pure functions of a network's
// options; src/runtime decides what to do with them.

import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { formatShape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import { describeValue } from '../core/options.ts'
import type { Tensor } from '../core/tensor.ts'
import { shownText } from '../core/text.ts'
import { unknownName } from '../core/unknownName.ts'
import type { Init } from '../nn/init.ts'
import type { KeyShapes } from '../nn/keyShapes.ts'
import type { LicenseId, NetworkCard, TrainedSampling } from './modelCard.ts'
import type { TaskId } from './tasks.ts'

/** Tensors by name. */
export type NamedTensors = Readonly<Record<string, Tensor>>
export type StoredTensors = Checkpoint['tensors']

/** Receives named intermediate results, for parity checks. */
export type Tap = (name: string, tensor: Tensor) => void

/** Facts about a network that need none of its code. */
export interface NetworkFacts<Id extends string = string> {
  readonly id: Id
  readonly signature: Signature
  /** License of the official weights. */
  readonly license: LicenseId
  readonly cards: readonly NetworkCard[]
  /** Options that select each of several tasks that the same weights do. */
  readonly taskOptions?: Readonly<Partial<Record<TaskId, Readonly<Record<string, unknown>>>>>
}

/** Recognizes a network's checkpoints. */
export interface Signature {
  /**
   * Keys of every checkpoint of the network. Another network that has them all must precede it in the table.
   */
  readonly keys: readonly string[]
  /** Maps the layouts of a family's files to the network's own keys; returns other tensors unchanged. */
  readonly layout?: (checkpoint: Checkpoint) => StoredTensors
}

/** Estimated peak memory of a run at float32 on ONNX Runtime's CPU kernels. */
export interface Memory {
  readonly fixedBytes: number
  readonly bytesPerPixel: number
}

/** How best to tile a picture for a network. */
export interface Tiling {
  /**
   * Whether to run a picture whole.
   * 'preferred': every pixel depends on the whole picture, so it is tiled only when memory runs short.
   * 'needless': tiles with overlap give the same result, and their maps fit the processor's caches.
   * 'costly': every pixel is compared with all others, so cost grows faster than the area of a tile.
   */
  readonly whole: 'preferred' | 'needless' | 'costly'
  readonly tilePx: number
  readonly overlapPx: number
  /** Tiles per run of the network. */
  readonly batch: number
}

/** Tiling of networks that define none. */
export const defaultTiling: Tiling = { whole: 'preferred', tilePx: 512, overlapPx: 64, batch: 1 }

/** Constraints on the sides of the input, in pixels. */
export interface InputSize {
  readonly multipleOf: number
  readonly minimum: number
  /** The network itself pads its input to a multiple of this. */
  readonly padToMultiple?: number
  /** Only height and width the network accepts; pictures are cut into tiles of that size. */
  readonly fixedTile?: Sides
  /** Only height and width the network accepts; whole pictures are resized to them. */
  readonly fixedSize?: Sides
}

/** Height and width in pixels. */
export type Sides = readonly [height: number, width: number]

/** Returns the only size that a network accepts, if there is one. */
export function onlySize({ fixedTile, fixedSize }: InputSize): Sides | undefined {
  return fixedSize ?? fixedTile
}

const anySize: InputSize = { multipleOf: 1, minimum: 1 }

/** Result computed once from the whole photo and passed to every tile. */
export interface OncePerPhoto {
  /**
   * What computes it: a part of the network, x [1 c h w] -> `output` [1 d]; or an estimate of the noise level,
   * of 255, [1 1].
   */
  readonly encode: { readonly part: string } | 'noise level'
  readonly output: string
  /** Part that restores a tile with it. */
  readonly restore: string
}

/** Value of options that are found once a photo unless a number is given. */
export const auto = 'auto'

/** An option that is found once a photo unless a number is given. */
export type NumberOrAuto = number | 'auto'

/** Guide that a network needs for sampling. */
export interface RequiredGuide {
  readonly kind: Guidance['kind']
  /** Features of the embeddings, or channels of the latents. */
  readonly width: number
}

/** What a guide supplies to a network that samples. */
export type Guidance =
  /**
   * DA-CLIP embeddings `content` and `degradation` [1 width] of a photo resized to `imageSize`; part `text`
   * embeds texts to compare with.
   */
  | {
      readonly kind: 'embeddings'
      readonly width: number
      readonly imageSize: Sides
      /** Maximum number of tokens in a text, start and end included. */
      readonly contextLength: number
    }
  /** Latents of `width` channels, each covering `unitPx`² pixels; parts `encode` and `decode`. */
  | { readonly kind: 'latents'; readonly width: number; readonly unitPx: number }

/**
 * Looks once at a view of the whole photo and finds maps, which the host applies to every pixel
 * (src/data/tone).
 */
export interface ToneRole {
  readonly kind: 'tones'
  /** Side of the square view. */
  readonly viewPx: number
  /** Maps that are applied. */
  readonly parts: { readonly haze: boolean; readonly gain: boolean; readonly cast: boolean }
}

/** Purpose of a network. */
export type Role =
  /** One run restores a picture: x [b c h w] -> y. */
  | { readonly kind: 'restores'; readonly oncePerPhoto?: OncePerPhoto }
  | ToneRole
  /**
   * Restores in steps: parts `condition` (once a photo) and `predict` (state, degraded, time -> prediction).
   */
  | {
      readonly kind: 'samples'
      readonly guide: RequiredGuide | undefined
      /** SDE and sampler of all official weights; undefined where they differ. */
      readonly sampling: TrainedSampling | undefined
      /** Whether weights without a card need only `maxSigma`; a network with scaled output needs its card. */
      readonly isMaxSigmaEnough: boolean
    }
  /** Supplies guidance to a network that samples. */
  | { readonly kind: 'guides'; readonly guidance: Guidance }
  /** Computes features of pictures or texts; restores nothing. */
  | { readonly kind: 'features' }

/** Arguments of `forward` besides the network and its inputs. */
interface ForwardContext<O> {
  readonly options: O
  readonly tap?: Tap | undefined
}

interface NetworkDefinition<Id extends string, O extends object, N extends object> {
  readonly facts: NetworkFacts<Id>
  readonly defaults: O
  /** Options that the key shapes of a checkpoint imply. */
  readonly optionsFromWeights: (shapes: KeyShapes) => O
  /** Options that no tensor shape reveals; the weights' card supplies them. */
  readonly optionsNotInWeights?: readonly (keyof O & string)[]
  readonly create: (init: Init, options: O) => N
  /** Inputs of `forward` by name, with their layouts: letters are free sizes, option names are fixed ones. */
  readonly inputs: Readonly<Record<string, string>>
  /** Names of the inputs that a network with these options takes. @default all of `inputs` */
  readonly inputNames?: (options: O) => readonly string[]
  readonly outputs: readonly string[]
  readonly forward: (network: N, inputs: NamedTensors, context: ForwardContext<O>) => NamedTensors
  /** Parts that run on their own, such as a tower or the prediction of one sampling step. */
  readonly parts?: Readonly<Record<string, (network: N, inputs: NamedTensors, options: O) => NamedTensors>>
  /** @default any size */
  readonly size?: (options: O) => InputSize
  /** Output side divided by input side. @default 1 */
  readonly scale?: (options: O) => number
  readonly channels: (options: O) => { readonly input: number; readonly output: number }
  /** @default {@link defaultTiling} */
  readonly tiling?: (options: O) => Tiling
  readonly memory: (options: O) => Memory
  readonly role: (options: O) => Role
  /** Rejects options that can be loaded but not run. @throws RestoreError 'usage' */
  readonly check?: (options: O) => void
  /** Checkpoint keys to ignore, or the last names of such keys. */
  readonly ignoredKeys?: readonly string[]
  /** Adapts weights to overridden options that change a shape. */
  readonly adaptWeights?: (tensors: StoredTensors, options: O) => StoredTensors
}

/** Entry of the network table. Options are typed inside the definition and plain records outside. */
export interface NetworkDescriptor<Id extends string = string> {
  readonly id: Id
  readonly facts: NetworkFacts<Id>
  /** Default options by name. */
  readonly defaults: Readonly<Record<string, unknown>>
  readonly optionsNotInWeights: readonly string[]
  /** Kind of role, which no option changes. */
  readonly roleKind: Role['kind']
  /** Options that the key shapes of a checkpoint imply, by name. */
  optionsFromWeights(shapes: KeyShapes): Readonly<Record<string, unknown>>
  /**
   * Describes the network with the options that the key shapes imply, except for `overrides`.
   * @throws RestoreError 'usage' for an unknown or mistyped override
   */
  fromWeights(shapes: KeyShapes, overrides?: object): ConfiguredNetwork<Id>
  /** Describes the network with trusted options, such as a card's, the rest at their defaults. */
  fromOptions(options?: object): ConfiguredNetwork<Id>
}

/** Everything that the options of a network determine. */
export interface NetworkDescription<Id extends string = string> {
  readonly id: Id
  /** License of the official weights; undefined for a graph, whose file states its own. */
  readonly license: LicenseId | undefined
  /** Options by name. */
  readonly options: Readonly<Record<string, unknown>>
  /** Inputs of `forward` with their layouts. */
  readonly inputs: Readonly<Record<string, string>>
  readonly outputs: readonly string[]
  readonly size: InputSize
  readonly scale: number
  readonly channels: { readonly input: number; readonly output: number }
  readonly tiling: Tiling
  readonly memory: Memory
  readonly role: Role
  /** Rejects options that can be loaded but not run. @throws RestoreError 'usage' */
  readonly check: () => void
}

/** A network with its options chosen but no weights yet. */
export interface ConfiguredNetwork<Id extends string = string> extends NetworkDescription<Id> {
  readonly ignoredKeys: readonly string[]
  readonly adaptWeights: (tensors: StoredTensors) => StoredTensors
  /** Creates the network and binds its calls to it. */
  readonly create: (init: Init) => CreatedNetwork
}

/** A network with its calls bound to it. */
export interface CreatedNetwork {
  readonly network: object
  /** Maps named inputs to named outputs, eager or traced; checks names and shapes. */
  forward(inputs: NamedTensors, tap?: Tap): NamedTensors
  /** Returns the `forward` of a part. @throws RestoreError 'usage' for an unknown part */
  part(name: string): (inputs: NamedTensors) => NamedTensors
}

/** Defines a network, checking the types of its options and its class against each other. */
export function defineNetwork<const Id extends string, O extends object, N extends object>(
  definition: NetworkDefinition<Id, O, N>,
): NetworkDescriptor<Id> {
  const { facts, optionsFromWeights, optionsNotInWeights = [], role } = definition
  const defaults = recordOf(definition.defaults)
  return {
    id: facts.id,
    facts,
    defaults,
    optionsNotInWeights,
    roleKind: role(definition.defaults).kind,
    optionsFromWeights: (shapes) => recordOf(optionsFromWeights(shapes)),
    fromWeights: (shapes, overrides = {}) => {
      checkOverrides(defaults, overrides)
      return describe(definition, { ...definition.defaults, ...optionsFromWeights(shapes), ...overrides })
    },
    fromOptions: (options = {}) => describe(definition, { ...definition.defaults, ...options }),
  }
}

function describe<Id extends string, O extends object, N extends object>(
  definition: NetworkDefinition<Id, O, N>,
  options: O,
): ConfiguredNetwork<Id> {
  const { facts, outputs, parts = {}, size, scale, channels, tiling, memory, role } = definition
  const names = definition.inputNames?.(options) ?? Object.keys(definition.inputs)
  const description = {
    id: facts.id,
    license: facts.license,
    options: recordOf(options),
    inputs: Object.fromEntries(names.map((name) => [name, layoutOf(definition, name)])),
    outputs,
    size: size?.(options) ?? anySize,
    scale: scale?.(options) ?? 1,
    channels: channels(options),
    tiling: tiling?.(options) ?? defaultTiling,
    memory: memory(options),
    role: role(options),
    check: () => definition.check?.(options),
    ignoredKeys: definition.ignoredKeys ?? [],
    adaptWeights: (tensors: StoredTensors) => definition.adaptWeights?.(tensors, options) ?? tensors,
  }
  const create = (init: Init): CreatedNetwork => {
    const network = definition.create(init, options)
    return {
      network,
      forward: (inputs, tap) => {
        checkInputs(description, inputs)
        return definition.forward(network, inputs, { options, tap })
      },
      part: (name) => {
        const run = Object.hasOwn(parts, name) ? parts[name] : undefined
        if (run) return (inputs) => run(network, inputs, options)
        const known = Object.keys(parts).join(', ') || 'none'
        throw new RestoreError('usage', `${facts.id}: expected one of its parts (${known}), got ${name}`)
      },
    }
  }
  return { ...description, create }
}

/** Layout of an input. @throws TypeError for a name that the definition lacks */
function layoutOf(
  { facts, inputs }: Pick<NetworkDefinition<string, never, never>, 'facts' | 'inputs'>,
  name: string,
): string {
  const layout = inputs[name]
  if (layout !== undefined) return layout
  throw new TypeError(`${facts.id}: expected a layout of its input ${name}, got none`)
}

function recordOf(options: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options))
}

/** Returns a named input. @throws RestoreError 'usage' if it is missing */
export function input(inputs: NamedTensors, name: string): Tensor {
  const tensor = inputs[name]
  if (tensor) return tensor
  throw new RestoreError(
    'usage',
    `forward: expected an input named '${name}', got ${Object.keys(inputs).join(', ') || 'none'}`,
  )
}

function checkOverrides(defaults: Readonly<Record<string, unknown>>, overrides: object): void {
  for (const [name, value] of Object.entries(overrides)) {
    if (!Object.hasOwn(defaults, name)) throw unknownName('network option', name, Object.keys(defaults))
    if (!isLike(value, defaults[name])) {
      const reference = JSON.stringify(defaults[name])
      const expected =
        defaults[name] === auto ? `as a number or ${reference}` : `of the same type as ${reference}`
      throw new RestoreError('usage', `options: expected ${name} ${expected}, got ${shortJson(value)}`)
    }
    if (numbersIn(value).every((number) => Math.abs(number) <= largestOption)) continue
    throw new RestoreError(
      'usage',
      `options: expected ${name} of at most ${largestOption}, got ${shortJson(value)}`,
    )
  }
}

/** Larger numbers are no option of any network: words of a vocabulary are the most there is. */
const largestOption = 2 ** 17

function numbersIn(value: unknown): readonly number[] {
  if (Array.isArray(value)) return value.flatMap(numbersIn)
  return typeof value === 'number' ? [value] : []
}

/** A value as JSON, cut; values nested too deep for that are described. */
function shortJson(value: unknown): string {
  try {
    return shownText(JSON.stringify(value), 80)
  } catch {
    return describeValue(value)
  }
}

/** Whether a value has the type of a default and, for a list, its length; `auto` stands for a number too. */
function isLike(value: unknown, reference: unknown): boolean {
  if (reference === auto) return value === auto || typeof value === 'number'
  if (!Array.isArray(reference)) return typeof value === typeof reference
  return (
    Array.isArray(value) &&
    value.length === reference.length &&
    reference.every((item, index) => isLike(value[index], item))
  )
}

type InputRules = Pick<NetworkDescription, 'inputs' | 'options' | 'size' | 'channels'>

/** Rejects inputs that would fail deep inside the network. */
function checkInputs(rules: InputRules, inputs: NamedTensors): void {
  for (const [name, layout] of Object.entries(rules.inputs)) {
    const tensor = input(inputs, name)
    if (layout.endsWith('h w')) checkImage(name, tensor, rules)
    else checkLayout(name, tensor, layout, rules)
  }
}

/** Checks the rank, and every size that the layout takes from an option. */
function checkLayout(name: string, { shape }: Tensor, layout: string, { options }: InputRules): void {
  const sizes = layout.split(' ').map((axis) => options[axis] ?? axis)
  const fits =
    shape.length === sizes.length && sizes.every((size, i) => typeof size !== 'number' || size === shape[i])
  if (fits) return
  throw new RestoreError('shape', `${name}: expected [${sizes.join(' ')}], got ${formatShape(shape)}`)
}

/** Checks channels and sides; symbolic sides of a traced graph pass unchecked. */
function checkImage(name: string, { shape }: Tensor, { size, channels }: InputRules): void {
  const { multipleOf, minimum } = size
  const only = onlySize(size)
  const [, c, ...sides] = shape
  const fits = sides.every(
    (side, i) =>
      typeof side === 'string' ||
      (side % multipleOf === 0 && side >= minimum && (only === undefined || side === only[i])),
  )
  if (shape.length === 4 && c === channels.input && fits) return
  const expected = only
    ? `[b ${channels.input} ${only[0]} ${only[1]}]`
    : `[b ${channels.input} h w] with h and w multiples of ${multipleOf} and at least ${minimum}`
  throw new RestoreError('shape', `${name}: expected ${expected}, got ${formatShape(shape)}`)
}
