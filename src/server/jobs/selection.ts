// What the settings of a job select, known before any network is opened.

import type { LookSettings } from '../../client/protocol.ts'
import { RestoreError } from '../../core/errors.ts'
import { autoTask } from '../../models/tasks.ts'
import { findCard } from '../../registry/cards.ts'
import { checkAuto, weightsOfRepairs } from '../../runtime/autoRestorer.ts'
import { checkScale, enlargementTo } from '../../runtime/enlargement.ts'
import { checkContradictions, defaultCard, isAuto, tasksOf } from '../../runtime/modelChoice.ts'
import { checkPipeline, pipelineRequests } from '../../runtime/pipeline.ts'
import { isAvailable, resolveModel } from '../../runtime/resolveModel.ts'
import { refuseOverrides } from '../../runtime/restore.ts'
import { checkDamage } from '../../runtime/restorer.ts'
import { refuseForSteps } from '../../runtime/steps.ts'
import { ProblemError } from '../protocol/problems.ts'
import { networkOptions, overridesOf, pictureOptions, type Settings } from '../protocol/settings.ts'

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
  if (isAuto(settings)) {
    refuseMissing('auto', inspectingModel)
    const enlargement = scale > 1 ? enlargementTo(scale, defaultCard('upscale', scale).scale).reached : 1
    return { model: autoTask, weights: weightsOfRepairs({ ...options, task: autoTask }), enlargement }
  }
  const requests = tasksOf(task).length > 1 ? pipelineRequests(options) : [options]
  const steps = requests.map((request) => {
    refuseMissing(request.task ?? 'model', request.model ?? defaultCard(request.task, request.scale).id)
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

/** Model that looks at pictures for task auto. */
const inspectingModel = 'light-inspect'

/** Checks settings of looking at a picture. @throws RestoreError 'usage', ProblemError 'contradiction' */
export function checkLook(settings: LookSettings): void {
  refuseMissing('auto', inspectingModel)
  contradicting(() => checkAuto(overridesOf(settings)))
}

/** Refuses a model whose weights are missing; the server's folders are nobody else's business. @throws RestoreError 'usage' */
function refuseMissing(where: string, id: string): void {
  if (isAvailable(id)) return
  throw new RestoreError(
    'usage',
    `${where}: expected a model whose weights this server has, got ${id}; GET /v1/models lists them`,
  )
}

/** Refuses settings that exclude each other, as the library would when it opens the network. */
function refuseContradictions(settings: Settings): void {
  const { task, model, scale } = settings
  const named = model === undefined ? undefined : findCard(model)
  const isLooking = isAuto(settings)
  const isList = tasksOf(task).length > 1
  contradicting(() => {
    const options = networkOptions(settings)
    if (isLooking) checkAuto({ ...options, task: autoTask })
    else refuseOverrides(options)
    if (isList) checkPipeline(options)
    if (isLooking || isList) return refuseForSteps(pictureOptions(settings))
    const card = named ?? defaultCard(task, scale)
    checkContradictions(card, { model, task })
    checkScale(scale, card.scale, card.id)
    if (options.damage) checkDamage(options.damage, card)
  })
}

/** Runs a check whose refusal is a contradiction. @throws ProblemError 'contradiction' */
function contradicting(check: () => void): void {
  try {
    check()
  } catch (error) {
    if (error instanceof RestoreError) throw new ProblemError('contradiction', error.message)
    throw error
  }
}
