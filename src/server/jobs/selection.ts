// What the settings of a job select, known before any network is opened.

import { RestoreError } from '../../core/errors.ts'
import { findCard } from '../../registry/cards.ts'
import { autoTask, checkAuto, weightsOfRepairs } from '../../runtime/autoRestorer.ts'
import { checkScale, enlargementTo } from '../../runtime/enlargement.ts'
import { checkContradictions, defaultCard, tasksOf } from '../../runtime/modelChoice.ts'
import { checkPipeline, pipelineRequests } from '../../runtime/pipeline.ts'
import { resolveModel } from '../../runtime/resolveModel.ts'
import { refuseForSteps } from '../../runtime/steps.ts'
import { ProblemError } from '../protocol/problems.ts'
import { networkOptions, pictureOptions, type Settings } from '../protocol/settings.ts'

export interface Selection {
  /** Ids of the models, joined by ' + '; 'auto' where the picture decides. */
  readonly model: string
  /** Files of weights that the result may depend on. */
  readonly weights: readonly string[]
  /** Largest output side divided by input side before the result is resampled. */
  readonly enlargement: number
}

/**
 * Selects the models of settings.
 * @throws RestoreError 'usage' for models that are unknown or whose weights are missing
 * @throws ProblemError 'contradiction'
 */
export function selectModels(settings: Settings): Selection {
  const { task, scale = 1 } = settings
  refuseContradictions(settings)
  const options = networkOptions(settings)
  if (task === autoTask) {
    const enlargement = scale > 1 ? enlargementTo(scale, defaultCard('upscale', scale).scale).reached : 1
    return { model: autoTask, weights: weightsOfRepairs({ ...options, task }), enlargement }
  }
  const requests = tasksOf(task).length > 1 ? pipelineRequests(options) : [options]
  const steps = requests.map((request) => {
    const { card, weights } = resolveModel(request)
    const networkScale = card?.scale ?? 1
    const { reached } = enlargementTo(request.scale ?? networkScale, networkScale)
    return { model: card?.id ?? weights, weights, reached }
  })
  return {
    model: steps.map(({ model }) => model).join(' + '),
    weights: steps.map(({ weights }) => weights),
    enlargement: steps.reduce((product, { reached }) => product * reached, 1),
  }
}

/** Refuses settings that exclude each other, as the library would when it opens the network. */
function refuseContradictions(settings: Settings): void {
  const { task, model, scale } = settings
  const named = model === undefined ? undefined : findCard(model)
  const isAuto = task === autoTask
  const isList = tasksOf(task).length > 1
  try {
    if (isAuto) checkAuto({ ...networkOptions(settings), task })
    if (isList) checkPipeline(networkOptions(settings))
    if (isAuto || isList) refuseForSteps(pictureOptions(settings))
    else {
      const card = named ?? defaultCard(task, scale)
      checkContradictions(card, { model, task })
      checkScale(scale, card.scale, card.id)
    }
  } catch (error) {
    if (error instanceof RestoreError) throw new ProblemError('contradiction', error.message)
    throw error
  }
}
