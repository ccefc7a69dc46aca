// Training of IPT (arXiv:2012.00364 §3.2 and §4; mindspore-ai/models, research/cv/IPT): pre-training on six
// tasks with synthetic pairs, one task per batch, then fine-tuning on a single task.

import { RestoreError } from '../../core/errors.ts'
import { l1Loss } from '../../core/functional.ts'
import { rearrange } from '../../core/rearrange.ts'
import type { Tensor } from '../../core/tensor.ts'
import { crop, type Image } from '../../data/image.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import { noise } from '../../degrade/noise.ts'
import { rain } from '../../degrade/rainAndSnow.ts'
import { imresize } from '../../degrade/resize.ts'
import type { Ipt } from '../../models/ipt/ipt.ts'
import type { WeightSource } from '../../nn/module.ts'
import type { LossContext, Weights } from '../recipe/recipe.ts'
import { cropViews, type Draw } from '../samples/samples.ts'
import { iptContrast, sampleTokens, supervisedContrast } from './contrastiveLosses.ts'

/** Restoration task with its own head, tail and query in the network. */
export interface IptTask {
  /** Size of the output over the size of the input. */
  readonly scale: number
  readonly degrade: Degrade
  /**
   * Extra pixels to degrade per axis before a random crop is taken, so that damage on a grid falls anywhere
   * in the crop.
   *
   * @default 0
   */
  readonly slack?: number
}

const superResolution = (scale: number): IptTask => ({
  scale,
  degrade: (image) => imresize(image, 1 / scale, { rounding: 'uint8' }),
})

/** IPT's six pre-training tasks, in the order of the released checkpoint's heads. */
export const iptPretraining = {
  'sr-x2': superResolution(2),
  'sr-x3': superResolution(3),
  'sr-x4': superResolution(4),
  // NOTE: the authors added photographed streak layers of RainTrainL; these are drawn.
  derain: { scale: 1, degrade: rain({ blend: 'additive', veil: 0 }) },
  'denoise-30': { scale: 1, degrade: noise({ sigma: 30, clip: 'on' }) },
  'denoise-50': { scale: 1, degrade: noise({ sigma: 50, clip: 'on' }) },
} as const satisfies Readonly<Record<string, IptTask>>

/** Fork key of the stream that draws a batch's task; cropViews uses 1, mixup uses 2. */
const taskStream = 3

/** A sample of one of IPT’s tasks. */
export type IptSample = {
  readonly input: Image
  readonly target: Image
  /** Index of the task, the same for the whole batch. */
  readonly task: number
}

/** Samples of one task per batch, drawn uniformly; target crops are `scale` times the phase's. */
export function oneTaskPerBatch(tasks: readonly IptTask[]): (draw: Draw) => IptSample {
  return (draw) => {
    const task = draw.shared.fork(taskStream).integer(tasks.length)
    const { scale, degrade, slack = 0 } = tasks[task]!
    const side = draw.phase.crop
    const { target: large } = cropViews({
      ...draw,
      data: { ...draw.data, images: { ...draw.data.images, scale } },
      phase: { ...draw.phase, crop: side + slack },
    })
    if (!large) throw new RestoreError('usage', `IPT: expected a view target, got ${Object.keys(draw.views)}`)
    const random = draw.random.fork(2)
    const top = random.integer(slack + 1)
    const left = random.integer(slack + 1)
    const cut = (image: Image, factor: number) =>
      slack === 0 ? image : crop(image, top * factor, left * factor, side * factor, side * factor)
    const input = degrade(large, draw.random.fork(1))
    return { input: cut(input, 1), target: cut(large, scale), task }
  }
}

/** Constants of {@link iptLosses}. */
export interface IptConstants extends Readonly<Record<string, number | string>> {
  /** Weight of the contrastive loss; 0 omits it. */
  readonly lambda: number
  /** 'paper' for equation 5, 'released' for the supervised loss of the released training. */
  readonly contrast: string
  /** Number of tokens per image in the contrastive loss. */
  readonly tokens: number
}

/** L1 in 0..255 and the weighted contrastive loss of the transformer's output tokens. */
export function iptLosses({
  model,
  batch,
  constants: { lambda, contrast, tokens },
  random,
}: LossContext<Ipt, IptSample, IptConstants>): Readonly<Record<string, Tensor>> {
  let features: Tensor | undefined
  const output = model.forward(batch.input, batch.task[0] ?? 0, (name, tensor) => {
    if (name === 'body') features = tensor
  })
  const l1 = l1Loss(output, batch.target).mul(255)
  if (lambda === 0 || !features) return { l1 }
  const size = model.body.tokenSize
  const all = rearrange(features, 'b c (i y) (j x) -> b (i j) (c y x)', { y: size, x: size })
  const chosen = sampleTokens(all, tokens, random)
  return { l1, contrast: contrastOf(contrast)(chosen).mul(lambda) }
}

function contrastOf(form: string): (features: Tensor) => Tensor {
  if (form === 'paper') return iptContrast
  if (form === 'released') return supervisedContrast
  throw new RestoreError('usage', `constants.contrast: expected paper or released, got ${form}`)
}

/**
 * Restores an image [1 3 h w] in adjacent windows, for validation; `limpid restore` uses overlapping ones.
 * Height and width must be multiples of the patch size.
 */
export function inWindows(model: Ipt, image: Tensor, task: number): Tensor {
  const tokens = model.body.position_encoding?.pe.weight.size(0)
  // Without position encoding the network accepts any size.
  if (tokens === undefined) return model.forward(image, task)
  const side = Math.round(Math.sqrt(tokens)) * model.body.tokenSize
  const windows = rearrange(image, 'b c (i y) (j x) -> (b i j) c y x', { y: side, x: side })
  const shape = { b: 1, i: image.size(2) / side }
  return rearrange(model.forward(windows, task), '(b i j) c y x -> b c (i y) (j x)', shape)
}

/**
 * Initializes a network's tasks from those of a checkpoint: task i from task `sources[i]`, or 'new' for a
 * random head, tail and query. All other weights come from the checkpoint; its remaining tasks are dropped.
 */
export function tasksFrom(
  sources: readonly (number | 'new')[],
): (checkpoint: Weights, random: Weights) => Weights {
  return (checkpoint, random) => {
    const initial = [...random].flatMap(([key, randomWeight]): [string, WeightSource][] => {
      const weight = initialWeight(key, randomWeight, checkpoint, sources)
      return weight ? [[key, weight]] : []
    })
    return new Map(initial)
  }
}

function initialWeight(
  key: string,
  randomWeight: WeightSource,
  checkpoint: Weights,
  sources: readonly (number | 'new')[],
): WeightSource | undefined {
  const stored = checkpoint.get(key)
  const [, kind, task, rest] = /^(head|tail)\.(\d+)\.(.*)$/.exec(key) ?? []
  if (task !== undefined) {
    const source = sources[Number(task)]
    return source === 'new' ? randomWeight : checkpoint.get(`${kind}.${source}.${rest}`)
  }
  return key === 'body.query_embed.weight' && stored ? initialQueries(stored, randomWeight, sources) : stored
}

/** Assembles the task queries [tasks n·d] row by row. */
function initialQueries(
  stored: WeightSource,
  randomWeight: WeightSource,
  sources: readonly (number | 'new')[],
): WeightSource {
  const [rows = 0, width = 0] = stored.shape
  const unknown = sources.find((source) => source !== 'new' && source >= rows)
  if (unknown !== undefined) {
    throw new RestoreError(
      'usage',
      `tasksFrom: expected tasks below ${rows}, which the checkpoint has, or 'new', got ${unknown}`,
    )
  }
  const floats = () => {
    const storedRows = stored.floats()
    const randomRows = randomWeight.floats()
    const values = new Float32Array(sources.length * width)
    sources.forEach((source, i) => {
      const from = source === 'new' ? randomRows.subarray(i * width) : storedRows.subarray(source * width)
      values.set(from.subarray(0, width), i * width)
    })
    return values
  }
  return { shape: [sources.length, width], floats }
}
