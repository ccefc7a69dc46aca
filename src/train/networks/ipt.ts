// How IPT is trained (arXiv:2012.00364 §3.2 and §4; mindspore-ai/models, research/cv/IPT): six tasks on synthetic pairs, one task
// for a whole batch, then a single task from what was learned.

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
import { iptContrast, someTokens, supervisedContrast } from './contrastiveLosses.ts'

/** Something that the network learns to undo; a head, a tail and a query of its own belong to it. */
export interface IptTask {
  /** Side of the output over that of the input. */
  readonly scale: number
  readonly degrade: Degrade
  /** Pixels by which what is degraded is larger than the crop taken from it anywhere: for damage that follows a grid. */
  readonly slack?: number
}

const superResolution = (scale: number): IptTask => ({
  scale,
  degrade: (image) => imresize(image, 1 / scale, { rounding: 'uint8' }),
})

/** The six tasks of IPT, in the order of the released checkpoint's heads. */
export const iptPretraining = {
  'sr-x2': superResolution(2),
  'sr-x3': superResolution(3),
  'sr-x4': superResolution(4),
  // NOTE: the authors added photographed streak layers of RainTrainL, these are drawn.
  derain: { scale: 1, degrade: rain({ blend: 'additive', veil: 0 }) },
  'denoise-30': { scale: 1, degrade: noise({ sigma: 30, clip: 'on' }) },
  'denoise-50': { scale: 1, degrade: noise({ sigma: 50, clip: 'on' }) },
} as const satisfies Readonly<Record<string, IptTask>>

/** Key of the stream that a batch's task is drawn from; cropViews and mixup take 1 and 2. */
const taskStream = 3

export type IptSample = {
  readonly input: Image
  readonly target: Image
  /** Its place among the tasks, the same for the whole batch. */
  readonly task: number
}

/** Samples of one task for each batch, drawn with equal chances; crops of the target are `scale` times the phase's. */
export function oneTaskPerBatch(tasks: readonly IptTask[]): (draw: Draw) => IptSample {
  return (draw) => {
    const task = draw.shared.fork(taskStream).integer(tasks.length)
    const { scale, degrade, slack = 0 } = tasks[task] as IptTask
    const side = draw.phase.crop
    const { target: large } = cropViews({
      ...draw,
      data: { ...draw.data, images: { ...draw.data.images, scale } },
      phase: { ...draw.phase, crop: side + slack },
    })
    if (!large) throw new RestoreError('usage', `IPT: expected a view target, got ${Object.keys(draw.views)}`)
    const place = draw.random.fork(2)
    const [top, left] = [place.integer(slack + 1), place.integer(slack + 1)]
    const cut = (image: Image, times: number) =>
      slack === 0 ? image : crop(image, top * times, left * times, side * times, side * times)
    const input = degrade(large, draw.random.fork(1))
    return { input: cut(input, 1), target: cut(large, scale), task }
  }
}

export interface IptConstants extends Readonly<Record<string, number | string>> {
  /** Weight of the contrastive loss; 0 leaves it out. */
  readonly lambda: number
  /** 'paper' for equation 5, 'released' for the supervised one of the released training. */
  readonly contrast: string
  /** How many tokens of each image the contrast takes. */
  readonly tokens: number
}

/** L1 in 0..255 and the weighted contrast of the transformer's output tokens. */
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
  const chosen = someTokens(all, tokens, random)
  return { l1, contrast: contrastOf(contrast)(chosen).mul(lambda) }
}

function contrastOf(form: string): (features: Tensor) => Tensor {
  if (form === 'paper') return iptContrast
  if (form === 'released') return supervisedContrast
  throw new RestoreError('usage', `constants.contrast: expected paper or released, got ${form}`)
}

/** A picture [1 3 h w], sides multiples of the patch size, in windows beside one another: for validation; the restorer overlaps them. */
export function inWindows(model: Ipt, picture: Tensor, task: number): Tensor {
  const tokens = model.body.position_encoding?.pe.weight.size(0)
  // Without positions windows may have any size.
  if (tokens === undefined) return model.forward(picture, task)
  const side = Math.round(Math.sqrt(tokens)) * model.body.tokenSize
  const windows = rearrange(picture, 'b c (i y) (j x) -> (b i j) c y x', { y: side, x: side })
  const shape = { b: 1, i: picture.size(2) / side }
  return rearrange(model.forward(windows, task), '(b i j) c y x -> b c (i y) (j x)', shape)
}

/**
 * Starts the tasks of a network from those of a checkpoint: task i from task `sources[i]`, or 'new' with a random head, tail and
 * query. The rest of the network comes from the checkpoint, whose other tasks are left behind.
 */
export function tasksFrom(
  sources: readonly (number | 'new')[],
): (checkpoint: Weights, random: Weights) => Weights {
  return (checkpoint, random) => {
    const started = [...random].flatMap(([key, drawn]): [string, WeightSource][] => {
      const source = startOf(key, drawn, checkpoint, sources)
      return source ? [[key, source]] : []
    })
    return new Map(started)
  }
}

function startOf(
  key: string,
  drawn: WeightSource,
  checkpoint: Weights,
  sources: readonly (number | 'new')[],
): WeightSource | undefined {
  const found = checkpoint.get(key)
  const [, kind, task, rest] = /^(head|tail)\.(\d+)\.(.*)$/.exec(key) ?? []
  if (task !== undefined) {
    const source = sources[Number(task)]
    return source === 'new' ? drawn : checkpoint.get(`${kind}.${source}.${rest}`)
  }
  return key === 'body.query_embed.weight' && found ? queriesFrom(found, drawn, sources) : found
}

/** Task embeddings [tasks n·d], row by row. */
function queriesFrom(
  found: WeightSource,
  drawn: WeightSource,
  sources: readonly (number | 'new')[],
): WeightSource {
  const [rows = 0, width = 0] = found.shape
  const unknown = sources.find((source) => source !== 'new' && source >= rows)
  if (unknown !== undefined) {
    throw new RestoreError(
      'usage',
      `tasksFrom: expected tasks below ${rows}, which the checkpoint has, or 'new', got ${unknown}`,
    )
  }
  const floats = () => {
    const [old, fresh] = [found.floats(), drawn.floats()]
    const values = new Float32Array(sources.length * width)
    sources.forEach((source, i) => {
      const from = source === 'new' ? fresh.subarray(i * width) : old.subarray(source * width)
      values.set(from.subarray(0, width), i * width)
    })
    return values
  }
  return { shape: [sources.length, width], floats }
}
