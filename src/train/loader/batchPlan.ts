// Assignment of images to batches: a function of seed and step alone, so none of it has to be saved.

import { counterRandom, permutation, type Random } from '../../core/random.ts'
import type { Group } from '../../torch/group.ts'
import { phaseAt, type Recipe } from '../recipe/recipe.ts'
import type { Echo } from '../samples/samples.ts'

/** Fork keys of a recipe's random streams. */
const streams = { weights: 0, order: 1, samples: 2, batches: 3, loss: 4, validation: 5 } as const

/** Returns one of a recipe's independent random streams. */
export function streamOf(seed: number, name: keyof typeof streams): Random {
  return counterRandom(seed).fork(streams[name])
}

/** A batch to be made. */
export interface PlannedBatch {
  /** Index among the batches that are made. */
  readonly number: number
  /** Step that uses it first. */
  readonly step: number
  /** Index of the first sample in the whole training; sample i draws from random stream i. */
  readonly firstSample: number
  /** Indices into the list of images. */
  readonly items: readonly number[]
}

/** One use of a batch. */
export interface PlannedUse {
  /** Index among all uses; `accumulate` of them make a step. */
  readonly number: number
  readonly step: number
  readonly batch: PlannedBatch
  /** Whether the batch is not used again. */
  readonly isLast: boolean
}

type PlannedRecipe = Pick<Recipe, 'data' | 'seed' | 'accumulate'>
type Processes = Pick<Group, 'rank' | 'size'>

/**
 * Yields the uses of batches of a training from `fromStep` on, endlessly. Each of several processes gets every
 * `size`-th. Each batch is used `echo.times` times: with each new one come those made `echo.apart` batches
 * before, twice as many before, and so on.
 */
export function* planUses(
  recipe: PlannedRecipe,
  names: readonly string[],
  fromStep: number,
  { rank, size }: Processes = { rank: 0, size: 1 },
): Generator<PlannedUse, never> {
  const { accumulate = 1 } = recipe
  const { times, apart } = echoOf(recipe)
  const batches = planBatches(recipe, names, size)
  // Batches of this process, by their index among them.
  const planned = new Map<number, PlannedBatch>()
  let count = 0
  for (let number = rank; ; number += size) {
    const turn = Math.floor(number / size)
    const age = turn % times
    const index = Math.floor(turn / times) + (times - 1 - age) * apart
    while (count <= index) {
      const batch = batches.next().value
      if (batch.number % size === rank) planned.set(count++, batch)
    }
    const batch = planned.get(index)!
    const step = Math.floor(number / accumulate)
    const isLast = age === times - 1
    if (isLast) planned.delete(index)
    if (step >= fromStep) yield { number, step, batch, isLast }
  }
}

function echoOf({ data: { echo } }: PlannedRecipe): Echo {
  return echo ?? { times: 1, apart: 1 }
}

/**
 * Yields the batches to be made. Each epoch has its own order. The rest of an epoch that does not fill a batch
 * is dropped, unless a batch holds more than all images.
 */
function* planBatches(
  recipe: PlannedRecipe,
  names: readonly string[],
  processes: number,
): Generator<PlannedBatch, never> {
  const { data, seed, accumulate = 1 } = recipe
  const { times, apart } = echoOf(recipe)
  const lead = (times - 1) * apart
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
    const turn = times * Math.max(Math.floor(number / processes) - lead, 0)
    const step = Math.floor((turn * processes + (number % processes)) / accumulate)
    const { batch } = phaseAt(data.phases, step)
    const rest = count - (firstSample % count)
    if (rest < batch && batch <= count) firstSample += rest
    const from = firstSample
    yield { number, step, firstSample, items: Array.from({ length: batch }, (_, i) => itemAt(from + i)) }
    firstSample += batch
  }
}
