// Optimizers on libtorch's fused and foreach kernels: a few dispatcher calls update all parameters.

import type { Handle } from '../../native/addon.ts'
import { loadAddon as addon } from '../../native/load.ts'
import { formatShape, sameShape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import type { Tensor } from '../core/tensor.ts'
import { fromHandle, handleOf, noGrad } from './backend.ts'
import { operator } from './ops.ts'

const zerosLike = operator('zeros_like')
const zeros = operator('zeros')
const copyInto = operator('copy_')
const addInPlace = operator<undefined>('_foreach_add_', 'Scalar')
const addListInPlace = operator<undefined>('_foreach_add_', 'List')
const lerpInPlace = operator<undefined>('_foreach_lerp_', 'Scalar')
const scaleInPlace = operator<undefined>('_foreach_mul_', 'Scalar')
const scaled = operator<readonly Handle[]>('_foreach_mul', 'Scalar')
const signInPlace = operator<undefined>('_foreach_sign_')
const fusedAdamW = operator<undefined>('_fused_adamw_')
const fusedAdam = operator<undefined>('_fused_adam_')
const fusedSgd = operator<undefined>('_fused_sgd_')
const norms = operator<readonly Handle[]>('_foreach_norm', 'Scalar')
const multiplyInPlace = operator<undefined>('_foreach_mul_', 'Tensor')
const multiplyListInPlace = operator<undefined>('_foreach_mul_', 'List')
const stack = operator('stack')
const vectorNorm = operator('linalg_vector_norm')
const add = operator('add', 'Scalar')
const reciprocal = operator('reciprocal')
const multiply = operator('mul', 'Scalar')
const clampMax = operator('clamp_max')

type Parameters = ReadonlyMap<string, Tensor>

/** Updates parameters by their gradients. */
export interface Optimizer {
  /** Updates every parameter that has a gradient. */
  step(learningRate: number): void
  /** Drops all gradients; call it before each backward pass. */
  zeroGrad(): void
  /**
   * State of each parameter, under names such as `conv.weight.exp_avg`; the tensors themselves, not copies.
   */
  state(): ReadonlyMap<string, Tensor>
}

/** A parameter with its optimizer state, under torch's names. */
interface Slot<Name extends string> {
  readonly handle: Handle
  readonly buffers: Readonly<Record<Name, Handle>>
}

/** Creates the slots of all parameters, and the methods common to all optimizers. */
function slotsOf<Name extends string>(
  parameters: Parameters,
  names: readonly Name[],
): {
  readonly active: () => readonly (Slot<Name> & { readonly gradient: Handle })[]
  readonly zeroGrad: () => void
  readonly state: () => ReadonlyMap<string, Tensor>
} {
  const slots = noGrad(() =>
    [...parameters].map(([key, parameter]) => {
      const handle = handleOf(parameter)
      const make = (name: Name) =>
        name === 'step' ? zeros([], 'float32', null, addon().device(handle)) : zerosLike(handle)
      const buffers = Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Handle>
      return { key, handle, buffers }
    }),
  )
  return {
    active: () =>
      slots.flatMap((slot) => {
        const gradient = addon().grad(slot.handle)
        return gradient ? [{ ...slot, gradient }] : []
      }),
    zeroGrad: () => {
      for (const { handle } of slots) addon().setGrad(handle, null)
    },
    state: () =>
      new Map(
        slots.flatMap(({ key, buffers }) =>
          names.map((name) => [`${key}.${name}`, fromHandle(buffers[name])] as const),
        ),
      ),
  }
}

/** Options of {@link adam}. */
export interface AdamOptions {
  /** Decays of the averages of gradients and of their squares. @default [0.9, 0.999] */
  readonly betas?: readonly [number, number]
  /** Added to the denominator. @default 1e-8 */
  readonly eps?: number
  /** Share of the weights subtracted per unit of learning rate. @default 0; 0.01 for {@link adamW} */
  readonly weightDecay?: number
}

/** Options of {@link adamW}. */
export interface AdamWOptions extends AdamOptions {
  /** Selects the parameters that weight decay applies to; all by default. */
  readonly decays?: (key: string, parameter: Tensor) => boolean
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101), on every parameter by default.
 */
export function adamW(
  parameters: Parameters,
  { decays, weightDecay = 0.01, ...options }: AdamWOptions = {},
): Optimizer {
  if (!decays) return adamLike(fusedAdamW, parameters, { weightDecay, ...options })
  const pick = (isDecayed: boolean) =>
    new Map([...parameters].filter(([key, parameter]) => decays(key, parameter) === isDecayed))
  return combined([
    adamLike(fusedAdamW, pick(true), { weightDecay, ...options }),
    adamLike(fusedAdamW, pick(false), { weightDecay: 0, ...options }),
  ])
}

/** Adam (Kingma and Ba, arXiv:1412.6980); its weight decay is an L2 penalty in the gradient. */
export function adam(parameters: Parameters, options: AdamOptions = {}): Optimizer {
  return adamLike(fusedAdam, parameters, { weightDecay: 0, ...options })
}

function adamLike(
  update: typeof fusedAdam,
  parameters: Parameters,
  { betas = [0.9, 0.999], eps = 1e-8, weightDecay }: AdamOptions & { readonly weightDecay: number },
): Optimizer {
  const { active, ...rest } = slotsOf(parameters, ['exp_avg', 'exp_avg_sq', 'step'])
  return {
    ...rest,
    step: (learningRate) =>
      noGrad(() => {
        const slots = active()
        if (slots.length === 0) return
        const steps = slots.map(({ buffers }) => buffers.step)
        addInPlace(steps, 1)
        update(
          slots.map(({ handle }) => handle),
          slots.map(({ gradient }) => gradient),
          slots.map(({ buffers }) => buffers.exp_avg),
          slots.map(({ buffers }) => buffers.exp_avg_sq),
          [],
          steps,
          learningRate,
          betas[0],
          betas[1],
          weightDecay,
          eps,
          false,
          false,
        )
      }),
  }
}

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Decay of the moving sum of gradients. @default 0 */
  readonly momentum?: number
  /** L2 penalty in the gradient. @default 0 */
  readonly weightDecay?: number
}

/** Stochastic gradient descent with momentum as in torch: m ← momentum · m + g, x ← x − rate · m. */
export function sgd(parameters: Parameters, { momentum = 0, weightDecay = 0 }: SgdOptions = {}): Optimizer {
  const { active, ...rest } = slotsOf(parameters, ['momentum_buffer'])
  return {
    ...rest,
    step: (learningRate) =>
      noGrad(() => {
        const slots = active()
        if (slots.length === 0) return
        fusedSgd(
          slots.map(({ handle }) => handle),
          slots.map(({ gradient }) => gradient),
          momentum === 0 ? [] : slots.map(({ buffers }) => buffers.momentum_buffer),
          weightDecay,
          momentum,
          learningRate,
          0,
          false,
          false,
          // is_first_step would copy the gradient into the buffers; they start at zero, which is equivalent.
          false,
        )
      }),
  }
}

/** Options of {@link lion}. */
export interface LionOptions {
  /** Decays of the update and of the moving average. @default [0.9, 0.99] */
  readonly betas?: readonly [number, number]
  /** Share of the weights subtracted per unit of learning rate. @default 0 */
  readonly weightDecay?: number
}

/**
 * Lion (Chen et al., arXiv:2302.06675): x ← x − rate · (sign(β₁ m + (1 − β₁) g) + decay
 * · x), then m ← β₂ m + (1 − β₂) g.
 */
export function lion(
  parameters: Parameters,
  { betas = [0.9, 0.99], weightDecay = 0 }: LionOptions = {},
): Optimizer {
  const { active, ...rest } = slotsOf(parameters, ['exp_avg'])
  return {
    ...rest,
    step: (learningRate) =>
      noGrad(() => {
        const slots = active()
        if (slots.length === 0) return
        const weights = slots.map(({ handle }) => handle)
        const gradients = slots.map(({ gradient }) => gradient)
        const means = slots.map(({ buffers }) => buffers.exp_avg)
        const update = scaled(means, betas[0])
        addListInPlace(update, gradients, 1 - betas[0])
        signInPlace(update)
        if (weightDecay !== 0) scaleInPlace(weights, 1 - learningRate * weightDecay)
        addListInPlace(weights, update, -learningRate)
        lerpInPlace(means, gradients, 1 - betas[1])
        for (const handle of update) addon().release(handle)
      }),
  }
}

/** Combines optimizers with separate parameters into one. */
function combined(optimizers: readonly Optimizer[]): Optimizer {
  return {
    step: (learningRate) => {
      for (const optimizer of optimizers) optimizer.step(learningRate)
    },
    zeroGrad: () => {
      for (const optimizer of optimizers) optimizer.zeroGrad()
    },
    state: () => new Map(optimizers.flatMap((optimizer) => [...optimizer.state()])),
  }
}

/**
 * Scales all gradients so that their joint L2 norm is at most `maximum`; returns the
 * original norm as a scalar tensor.
 */
export function clipGradNorm(parameters: Parameters, maximum: number): Tensor {
  return noGrad(() => {
    const gradients = gradientsOf(parameters)
    const total = vectorNorm(stack(norms(gradients, 2)), 2)
    multiplyInPlace(gradients, clampMax(multiply(reciprocal(add(total, 1e-6)), maximum), 1))
    return fromHandle(total)
  })
}

/**
 * Scales each gradient separately so that its L2 norm is at most `maximum`; returns the
 * original joint norm as a scalar tensor.
 */
export function clipEachGradNorm(parameters: Parameters, maximum: number): Tensor {
  return noGrad(() => {
    const gradients = gradientsOf(parameters)
    const each = norms(gradients, 2)
    multiplyListInPlace(
      gradients,
      each.map((norm) => clampMax(multiply(reciprocal(add(norm, 1e-6)), maximum), 1)),
    )
    return fromHandle(vectorNorm(stack(each), 2))
  })
}

function gradientsOf(parameters: Parameters): readonly Handle[] {
  const gradients = [...parameters.values()].flatMap((parameter) => addon().grad(handleOf(parameter)) ?? [])
  if (gradients.length > 0) return gradients
  throw new RestoreError(
    'usage',
    'gradients: expected at least one, got none; the loss depends on no trainable tensor',
  )
}

/** target ← target + weight · (source − target) for all tensors at once. */
export function lerpTensors(targets: readonly Tensor[], sources: readonly Tensor[], weight: number): void {
  const handles = (tensors: readonly Tensor[]) => tensors.map((tensor) => handleOf(tensor))
  noGrad(() => lerpInPlace(handles(targets), handles(sources), weight))
}

/** Overwrites a tensor's values, from any device, as for a momentum encoder, a queue or running means. */
export function assign(target: Tensor, source: Tensor): void {
  if (!sameShape(target.shape, source.shape)) {
    const expected = formatShape(target.shape)
    throw new RestoreError(
      'shape',
      `assign: expected values for ${expected}, got ${formatShape(source.shape)}`,
    )
  }
  noGrad(() => {
    addon().release(copyInto(handleOf(target), handleOf(source)))
  })
}
