// Sanity check: the network must overfit one batch.

import { RestoreError } from '../core/errors.ts'
import { scope } from '../torch/backend.ts'
import type { Loader } from './loader/loader.ts'
import { addAllGradients } from './loop.ts'
import { rateAt } from './recipe/recipe.ts'
import type { TrainingRun } from './trainingRun.ts'

export interface OverfitResult {
  readonly steps: number
  /** Loss at the first and at the last step. */
  readonly first: number
  readonly last: number
}

/**
 * Trains on the first batch only. The learning rate follows the recipe's but never decreases.
 *
 * @throws RestoreError `numeric` unless the loss falls by half
 */
export async function overfit(
  run: TrainingRun,
  openLoader: (fromStep: number) => Loader,
  { steps, onProgress }: { readonly steps: number; readonly onProgress: (text: string) => void },
): Promise<OverfitResult> {
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
  const first = losses[0] ?? Number.NaN
  const last = losses.at(-1) ?? Number.NaN
  // A loss such as the negative PSNR is below 0.
  if (last < first - Math.abs(first) / 2) return { steps, first, last }
  throw new RestoreError(
    'numeric',
    `overfit: expected the loss of one batch to fall by half in ${steps} steps, got ${last} from ${first}; check the loss, the learning rate and that inputs match their targets`,
  )
}
