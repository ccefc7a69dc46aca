// The oldest check of a training: one batch must be learned by heart.

import { RestoreError } from '../core/errors.ts'
import { scope } from '../torch/backend.ts'
import type { Loader } from './loader/loader.ts'
import { addAllGradients } from './loop.ts'
import { rateAt } from './recipe/recipe.ts'
import type { TrainingRun } from './trainingRun.ts'

export interface Overfitted {
  readonly steps: number
  readonly first: number
  readonly last: number
}

/** Trains on the first batch alone, at a learning rate that warms up as the recipe's but never falls; its loss must fall by half. */
export async function overfit(
  run: TrainingRun,
  openLoader: (fromStep: number) => Loader,
  { steps, onProgress }: { readonly steps: number; readonly onProgress: (text: string) => void },
): Promise<Overfitted> {
  const loader = openLoader(0)
  const losses: number[] = []
  let rate = 0
  try {
    const batch = await loader.next()
    for (let step = 0; step < steps; step++) {
      run.optimizer.zeroGrad()
      const values = addAllGradients(run, [batch])
      rate = Math.max(rate, rateAt(run.recipe, step))
      scope(() => run.optimizer.step(rate))
      losses.push(Object.values(values).reduce((sum, value) => sum + value, 0))
      onProgress(`step ${step + 1}/${steps}  loss ${losses.at(-1)?.toPrecision(4)}`)
    }
  } finally {
    loader.close()
  }
  const [first = Number.NaN, last = Number.NaN] = [losses[0], losses.at(-1)]
  // Losses such as a PSNR with its sign turned are below 0.
  if (last < first - Math.abs(first) / 2) return { steps, first, last }
  throw new RestoreError(
    'numeric',
    `overfit: expected the loss of one batch to fall by half in ${steps} steps, got ${last} after ${first}; check the loss, the learning rate and that input and target belong together`,
  )
}
