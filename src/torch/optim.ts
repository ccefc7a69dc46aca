// Optimisers on libtorch's fused kernels: one dispatcher call updates all parameters.

import type { Handle } from '../../native/addon.ts'
import { loadAddon as addon } from '../../native/load.ts'
import type { Tensor } from '../core/tensor.ts'
import { fromHandle, handleOf, noGrad } from './backend.ts'
import { operator } from './ops.ts'

const zerosLike = operator('zeros_like')
const zeros = operator('zeros')
const addInPlace = operator<undefined>('_foreach_add_', 'Scalar')
const fusedAdamW = operator<undefined>('_fused_adamw_')
const norms = operator<readonly Handle[]>('_foreach_norm', 'Scalar')
const multiplyInPlace = operator<undefined>('_foreach_mul_', 'Tensor')
const stack = operator('stack')
const vectorNorm = operator('linalg_vector_norm')
const add = operator('add', 'Scalar')
const reciprocal = operator('reciprocal')
const multiply = operator('mul', 'Scalar')
const clampMax = operator('clamp_max')

export interface AdamWOptions {
  readonly betas?: readonly [number, number]
  readonly eps?: number
  readonly weightDecay?: number
}

export interface Optimizer {
  /** Updates every parameter that has a gradient. */
  step(learningRate: number): void
  zeroGrad(): void
}

/** Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101), on every parameter alike. */
export function adamW(
  parameters: ReadonlyMap<string, Tensor>,
  { betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 }: AdamWOptions = {},
): Optimizer {
  const handles = [...parameters.values()].map((parameter) => handleOf(parameter))
  const slots = noGrad(() =>
    handles.map((handle) => ({
      handle,
      mean: zerosLike(handle),
      meanOfSquares: zerosLike(handle),
      steps: zeros([], 'float32', null, addon().device(handle)),
    })),
  )
  return {
    step: (learningRate) =>
      noGrad(() => {
        const active = slots.flatMap((slot) => {
          const gradient = addon().grad(slot.handle)
          return gradient ? [{ ...slot, gradient }] : []
        })
        const steps = active.map((slot) => slot.steps)
        addInPlace(steps, 1)
        fusedAdamW(
          active.map((slot) => slot.handle),
          active.map((slot) => slot.gradient),
          active.map((slot) => slot.mean),
          active.map((slot) => slot.meanOfSquares),
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
    zeroGrad: () => {
      for (const handle of handles) addon().setGrad(handle, null)
    },
  }
}

/** Scales all gradients so that their joint L2 norm is at most `maximum`; returns the norm before, as a scalar tensor. */
export function clipGradNorm(parameters: ReadonlyMap<string, Tensor>, maximum: number): Tensor {
  return noGrad(() => {
    const gradients = [...parameters.values()].flatMap((parameter) => addon().grad(handleOf(parameter)) ?? [])
    const total = vectorNorm(stack(norms(gradients, 2)), 2)
    multiplyInPlace(gradients, clampMax(multiply(reciprocal(add(total, 1e-6)), maximum), 1))
    return fromHandle(total)
  })
}
