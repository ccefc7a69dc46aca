// Assignment of images to batches: a function of seed and step alone, so none of it has to be saved.

import { counterRandom, permutation, type Random } from '../../core/random.ts'
import type { Group } from '../../torch/group.ts'
import { phaseAt, type Recipe } from '../recipe/recipe.ts'

/** Fork keys of a recipe's random streams. */
const streams = { weights: 0, order: 1, samples: 2, batches: 3, loss: 4, validation: 5 } as const

/** Returns one of a recipe's independent random streams. */
export function streamOf(seed: number, name: keyof typeof streams): Random {
  return counterRandom(seed).fork(streams[name])
}

export interface PlannedBatch {
  /** Index of the batch in the whole training; `accumulate` batches make a step. */
  readonly number: number
  readonly step: number
  /** Index of the first sample in the whole training; sample i draws from random stream i. */
  readonly firstSample: number
  /** Indices into the list of images. */
  readonly items: readonly number[]
}

type PlannedRecipe = Pick<Recipe, 'data' | 'seed' | 'accumulate'>

/**
 * Yields the batches of a training from `fromStep` on, endlessly. Each epoch has its own order. The rest of
 * an epoch that does not fill a batch is dropped, unless a batch holds more than all images. Each of several
 * processes gets every `size`-th batch.
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
    return order[sample % count]!
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
