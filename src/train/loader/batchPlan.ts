// Which pictures make up which batch: a function of the seed alone, so that nothing of it needs to be saved.

import { counterRandom, permutation, type Random } from '../../core/random.ts'
import type { Group } from '../../torch/group.ts'
import { phaseAt, type Recipe } from '../recipe/recipe.ts'

/** Keys of the streams that a recipe's seed is forked into. */
const streams = { weights: 0, order: 1, samples: 2, batches: 3, loss: 4, validation: 5 } as const

/** One of the independent streams of a recipe's chance. */
export function streamOf(seed: number, name: keyof typeof streams): Random {
  return counterRandom(seed).fork(streams[name])
}

export interface PlannedBatch {
  /** Counts batches from the start of the training; `accumulate` of them make a step. */
  readonly number: number
  readonly step: number
  /** Number of the first sample, counted from the start of the training: sample i draws from stream i. */
  readonly firstSample: number
  /** Positions in the list of images. */
  readonly items: readonly number[]
}

type PlannedRecipe = Pick<Recipe, 'data' | 'seed' | 'accumulate'>

/**
 * The batches of a training from `fromStep` on, without end. Every epoch has an order of its own; what is left of an epoch
 * when a batch no longer fits is dropped, unless there are fewer images than a batch takes. Of several processes each has its share.
 */
export function* planBatches(
  { data, seed, accumulate = 1 }: PlannedRecipe,
  names: readonly string[],
  fromStep: number,
  { rank, size }: Pick<Group, 'rank' | 'size'> = { rank: 0, size: 1 },
): Generator<PlannedBatch, never> {
  const count = names.length
  const orders = streamOf(seed, 'order')
  const orderOf = (epoch: number) =>
    data.order ? data.order(names, orders.fork(epoch)) : permutation(count, orders.fork(epoch))
  let order: readonly number[] = []
  let epochOfOrder = -1
  const itemAt = (sample: number) => {
    const epoch = Math.floor(sample / count)
    if (epoch !== epochOfOrder) {
      order = orderOf(epoch)
      epochOfOrder = epoch
    }
    return order[sample % count] as number
  }
  let firstSample = 0
  for (let number = 0; ; number++) {
    const step = Math.floor(number / accumulate)
    const { batch } = phaseAt(data.phases, step)
    const rest = count - (firstSample % count)
    if (rest < batch && batch <= count) firstSample += rest
    if (step >= fromStep && number % size === rank) {
      const from = firstSample
      yield { number, step, firstSample, items: Array.from({ length: batch }, (_, i) => itemAt(from + i)) }
    }
    firstSample += batch
  }
}
