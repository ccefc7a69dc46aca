// The list of primitive operations and their attributes. To add one, start here: tsc reports every table that
// lacks it. Semantics and argument order are torch's. Composite operations are in functional.ts, not here.

import type { DType } from './data.ts'
import type { Shape } from './dims.ts'

type None = Readonly<Record<never, never>>
/** How padding is filled: with zeros, mirrored without repeating the border, or with the border. */
export type PadMode = 'constant' | 'reflect' | 'replicate'

/** Attributes of every op; `dim` and `dims` are non-negative (methods of Tensor resolve negative ones). */
export interface OpAttrs {
  // elementwise, two inputs with broadcasting
  add: None
  sub: None
  mul: None
  div: None
  maximum: None
  minimum: None
  // elementwise with a number
  addScalar: { readonly value: number }
  mulScalar: { readonly value: number }
  powScalar: { readonly exponent: number }
  clamp: { readonly min: number; readonly max: number }
  // elementwise, one input
  neg: None
  abs: None
  exp: None
  log: None
  sqrt: None
  rsqrt: None
  sin: None
  cos: None
  tanh: None
  sigmoid: None
  relu: None
  leakyRelu: { readonly negativeSlope: number }
  prelu: None // inputs (x, slope [c] of dimension 1)
  silu: None
  gelu: None // exact, with erf
  mish: None
  cast: { readonly dtype: DType }
  // products: inputs (x, weight, bias?) for conv2d and linear
  matmul: None
  linear: None
  conv2d: {
    readonly stride: number
    readonly padding: number
    readonly groups: number
    /** Distance of the kernel's taps. @default 1 */
    readonly dilation?: number
  }
  // normalization over the last dimension; inputs (x) or (x, weight, bias)
  layerNorm: { readonly eps: number }
  softmax: { readonly dim: number }
  logSoftmax: { readonly dim: number }
  // reductions
  sum: { readonly dims: readonly number[]; readonly keepDim: boolean }
  mean: { readonly dims: readonly number[]; readonly keepDim: boolean }
  amax: { readonly dims: readonly number[]; readonly keepDim: boolean }
  argmax: { readonly dim: number; readonly keepDim: boolean }
  argsort: { readonly dim: number } // ascending; equal elements keep their order
  // windows and resampling of [b c h w]
  maxPool2d: { readonly kernel: number; readonly stride: number; readonly padding: number }
  avgPool2d: { readonly kernel: number; readonly stride: number; readonly padding: number }
  pixelShuffle: { readonly factor: number }
  upsampleNearest: { readonly factor: number }
  upsampleBilinear: { readonly factor: number } // align_corners=False
  // inputs (x, grid): bilinear, with the border repeated outside, align_corners=False
  gridSample: None
  // movement
  reshape: { readonly shape: Shape }
  permute: { readonly dims: readonly number[] }
  expand: { readonly shape: Shape }
  slice: { readonly dim: number; readonly start: number; readonly end: number; readonly step: number }
  cat: { readonly dim: number }
  /** `padding` as torch's F.pad: last dimension first, (before, after) each. */
  pad: { readonly padding: readonly number[]; readonly mode: PadMode; readonly value: number }
  // lookups: inputs (weight, ids) and (x, index)
  embedding: None
  gather: { readonly dim: number }
}

export type Op = keyof OpAttrs

/** A table with one entry per op. */
export type PerOp<Args extends readonly unknown[], R> = {
  readonly [K in Op]: (attrs: OpAttrs[K], ...args: Args) => R
}
