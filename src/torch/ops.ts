// Implements every op on libtorch, with one dispatcher call each.

import type { Argument, Handle, Result } from '../../native/addon.ts'
import { loadAddon as addon } from '../../native/load.ts'
import { fixedShape } from '../core/dims.ts'
import type { PerOp } from '../core/ops.ts'

/** Returns a function that calls a dispatcher operator, which is looked up once. */
export function operator<R extends Result | undefined = Handle>(
  name: string,
  overload = '',
): (...args: Argument[]) => R {
  let id = -1
  return (...args) => {
    if (id < 0) id = addon().resolve(`aten::${name}`, overload)
    return addon().call(id, ...args) as R
  }
}

type Call = (attrs: unknown, inputs: readonly Handle[]) => Handle

/** An op whose only arguments are its input tensors. */
function plain(name: string, overload = ''): Call {
  const call = operator(name, overload)
  return (_, inputs) => call(...inputs)
}

const addScalar = operator('add', 'Scalar')
const mulScalar = operator('mul', 'Scalar')
const powScalar = operator('pow', 'Tensor_Scalar')
const clamp = operator('clamp')
const leakyRelu = operator('leaky_relu')
const to = operator('to', 'dtype')
const conv2d = operator('conv2d')
const bmm = operator('bmm')
const baddbmm = operator('baddbmm')
const layerNorm = operator('layer_norm')
const softmax = operator('softmax', 'int')
const logSoftmax = operator('log_softmax', 'int')
const sum = operator('sum', 'dim_IntList')
const mean = operator('mean', 'dim')
const amax = operator('amax')
const argmax = operator('argmax')
const argsort = operator('argsort', 'stable')
const maxPool2d = operator('max_pool2d')
const avgPool2d = operator('avg_pool2d')
const pixelShuffle = operator('pixel_shuffle')
const upsampleNearest = operator('upsample_nearest2d', 'vec')
const upsampleBilinear = operator('upsample_bilinear2d', 'vec')
const gridSampler = operator('grid_sampler')
/** Of grid_sampler. */
const bilinear = 0
/** Of grid_sampler. */
const repeatBorder = 1
const reshape = operator('reshape')
const permute = operator('permute')
const expand = operator('expand')
const slice = operator('slice', 'Tensor')
const cat = operator('cat')
const pad = operator('pad')
const gather = operator('gather')

/** Splits a tensor into parts of a length along a dimension. */
export const split = operator<readonly Handle[]>('split', 'Tensor')

/** Input i of an op whose arity the shape rule has checked. */
function at(inputs: readonly Handle[], i: number): Handle {
  return inputs[i] as Handle
}

/**
 * Pixels up to which a product is faster in training than oneDNN's 1×1 convolution,
 * whose backward reorders memory.
 */
const productPixels = 128 * 128

/** Computes a 1×1 convolution as a product if it is on CPU and needs a gradient. */
function pointwiseForTraining(inputs: readonly Handle[]): Handle | undefined {
  const x = at(inputs, 0)
  const weight = at(inputs, 1)
  const [o = 0, c = 0, height, width] = addon().shape(weight)
  if (height !== 1 || width !== 1 || !addon().requiresGrad(x) || addon().device(x) !== 'cpu') return undefined
  const [b = 0, , h = 0, w = 0] = addon().shape(x)
  if (h * w > productPixels) return undefined
  const weights = expand(reshape(weight, [1, o, c]), [b, o, c])
  const pixels = reshape(x, [b, c, h * w])
  const bias = inputs[2]
  const y = bias ? baddbmm(reshape(bias, [1, o, 1]), weights, pixels) : bmm(weights, pixels)
  return reshape(y, [b, o, h, w])
}

export const call: PerOp<[inputs: readonly Handle[]], Handle> = {
  add: plain('add', 'Tensor'),
  sub: plain('sub', 'Tensor'),
  mul: plain('mul', 'Tensor'),
  div: plain('div', 'Tensor'),
  maximum: plain('maximum'),
  minimum: plain('minimum'),
  addScalar: ({ value }, x) => addScalar(at(x, 0), value),
  mulScalar: ({ value }, x) => mulScalar(at(x, 0), value),
  powScalar: ({ exponent }, x) => powScalar(at(x, 0), exponent),
  clamp: ({ min, max }, x) =>
    clamp(at(x, 0), Number.isFinite(min) ? min : null, Number.isFinite(max) ? max : null),
  neg: plain('neg'),
  abs: plain('abs'),
  exp: plain('exp'),
  log: plain('log'),
  sqrt: plain('sqrt'),
  rsqrt: plain('rsqrt'),
  sin: plain('sin'),
  cos: plain('cos'),
  tanh: plain('tanh'),
  sigmoid: plain('sigmoid'),
  relu: plain('relu'),
  leakyRelu: ({ negativeSlope }, x) => leakyRelu(at(x, 0), negativeSlope),
  prelu: plain('prelu'),
  silu: plain('silu'),
  gelu: plain('gelu'),
  mish: plain('mish'),
  cast: ({ dtype }, x) => to(at(x, 0), dtype),
  matmul: plain('matmul'),
  linear: plain('linear'),
  conv2d: ({ stride, padding, groups, dilation = 1 }, x) =>
    (stride === 1 && padding === 0 && groups === 1 ? pointwiseForTraining(x) : undefined) ??
    conv2d(at(x, 0), at(x, 1), x[2] ?? null, stride, padding, dilation, groups),
  layerNorm: ({ eps }, x) => {
    const shape = addon().shape(at(x, 0))
    return layerNorm(at(x, 0), shape.slice(-1), x[1] ?? null, x[2] ?? null, eps)
  },
  softmax: ({ dim }, x) => softmax(at(x, 0), dim),
  logSoftmax: ({ dim }, x) => logSoftmax(at(x, 0), dim),
  sum: ({ dims, keepDim }, x) => sum(at(x, 0), dims, keepDim),
  mean: ({ dims, keepDim }, x) => mean(at(x, 0), dims, keepDim),
  amax: ({ dims, keepDim }, x) => amax(at(x, 0), dims, keepDim),
  argmax: ({ dim, keepDim }, x) => argmax(at(x, 0), dim, keepDim),
  argsort: ({ dim }, x) => argsort(at(x, 0), true, dim, false),
  maxPool2d: ({ kernel, stride, padding }, x) => maxPool2d(at(x, 0), kernel, stride, padding),
  avgPool2d: ({ kernel, stride, padding }, x) => avgPool2d(at(x, 0), kernel, stride, padding),
  pixelShuffle: ({ factor }, x) => pixelShuffle(at(x, 0), factor),
  upsampleNearest: ({ factor }, x) => upsampleNearest(at(x, 0), null, [factor, factor]),
  upsampleBilinear: ({ factor }, x) => upsampleBilinear(at(x, 0), null, false, [factor, factor]),
  gridSample: (_, x) => gridSampler(at(x, 0), at(x, 1), bilinear, repeatBorder, false),
  reshape: ({ shape }, x) => reshape(at(x, 0), fixedShape('reshape', shape)),
  permute: ({ dims }, x) => permute(at(x, 0), dims),
  expand: ({ shape }, x) => expand(at(x, 0), fixedShape('expand', shape)),
  slice: ({ dim, start, end, step }, x) => slice(at(x, 0), dim, start, end, step),
  cat: ({ dim }, x) => cat(x, dim),
  pad: ({ padding, mode, value }, x) => pad(at(x, 0), padding, mode, mode === 'constant' ? value : null),
  embedding: plain('embedding'),
  gather: ({ dim }, x) => gather(at(x, 0), dim, at(x, 1)),
}
