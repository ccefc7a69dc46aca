// The settings of a training that its report shows.

import { parameterCount } from '../nn/module.ts'
import { rateAt } from './recipe/recipe.ts'
import { shortNumber } from './report/curve.ts'
import type { TrainingIdentity } from './trainingIdentity.ts'
import type { TrainingRun } from './trainingRun.ts'

/** Describes a training by label. */
export function settingsOf(
  { recipe, network, device, validation }: TrainingRun,
  { data, version }: TrainingIdentity,
): Readonly<Record<string, string>> {
  const { model, options, weights } = recipe.network
  const {
    accumulate = 1,
    data: { echo },
    validate,
    maxGradNorm,
    maxGradNormEach,
  } = recipe
  const rates = [0, Math.floor(recipe.steps / 2), recipe.steps - 1].map((step) =>
    shortNumber(rateAt(recipe, step)),
  )
  const phases = recipe.data.phases.map(
    ({ steps, crop, batch }) => `crop ${crop}, batch ${batch} for ${steps} steps`,
  )
  const settings: Readonly<Record<string, string | undefined>> = {
    network: `${model}, ${parameterCount(network).toLocaleString('en')} parameters`,
    options: JSON.stringify(options),
    'initial weights': weights,
    images: `${data.images} in ${recipe.data.images.root}`,
    phases: phases.join('; '),
    'use of batches': echo && `${echo.times} times, ${echo.apart} batches apart`,
    'learning rate': `${rates[0]} at first, ${rates[1]} halfway, ${rates[2]} at the end`,
    accumulate: accumulate > 1 ? `${accumulate} batches a step` : undefined,
    'gradient norm': maxGradNorm === undefined ? undefined : `at most ${shortNumber(maxGradNorm)}`,
    'norm of each gradient':
      maxGradNormEach === undefined ? undefined : `at most ${shortNumber(maxGradNormEach)}`,
    'averaged weights': recipe.ema ? 'yes' : undefined,
    precision: recipe.precision,
    constants: recipe.constants && JSON.stringify(recipe.constants),
    validation:
      validate && validation
        ? `${validation.names.length} images every ${validate.every} steps, ${validate.metrics.join(', ')}`
        : 'none',
    seed: String(recipe.seed),
    device,
    Limpid: version,
  }
  return Object.fromEntries(
    Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}
