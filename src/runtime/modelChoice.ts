// Which model a request means: one that is named, or the default of a task. Pure data, safe in a browser.

import { RestoreError } from '../core/errors.ts'
import type { NetworkFacts } from '../models/networkDescriptor.ts'
import { autoTask, defaultModels, defaultTask, defaultTasksOf, type TaskId } from '../models/tasks.ts'
import { findCard, findTask, type ModelCard } from '../registry/cards.ts'
import { type ModelId, networkOf } from '../registry/networks.ts'
import { enlargementTo } from './enlargement.ts'

/** Names in a list of tasks: 'denoise,upscale'. */
export function tasksOf(task: string | undefined): readonly string[] {
  return task === undefined ? [] : task.split(',').map((name) => name.trim())
}

/** Whether a request leaves it to each photo what is done: it names task auto, or neither a task nor a network. */
export function isAuto({
  task,
  model,
  weights,
}: {
  readonly task?: string | undefined
  readonly model?: string | undefined
  readonly weights?: unknown
}): boolean {
  return task === undefined ? model === undefined && weights === undefined : task === autoTask
}

/** The default model of a task and scale; of several, the one with the least work. @throws RestoreError 'usage' */
export function defaultCard(name: string | undefined, scale: number | undefined): ModelCard {
  const task: TaskId = name === undefined ? ((scale ?? 1) > 1 ? 'upscale' : defaultTask) : findTask(name)
  const [preferred, ...others] = defaultModels[task].map(findCard)
  if (!preferred) throw new RestoreError('usage', `task: expected one with a model, got ${task}`)
  if (scale === undefined) return preferred
  // The fewest pixels beyond those wanted, then the fewest passes.
  const cost = (card: ModelCard) => {
    const { reached, passes } = enlargementTo(scale, card.scale)
    return reached + passes / 100
  }
  return others.reduce((best, card) => (cost(card) < cost(best) ? card : best), preferred)
}

/** Options that select a task of a network whose weights do several. */
export function taskOptions(id: ModelId, task: string): object | undefined {
  const { taskOptions = {} }: NetworkFacts = networkOf(id).facts
  return Object.entries(taskOptions).find(([name]) => name === task)?.[1]
}

/** Checks that a task given with a model is the model's own. @throws RestoreError 'usage' */
export function checkContradictions(
  card: ModelCard,
  { model, task }: { readonly model?: string | undefined; readonly task?: string | undefined },
): void {
  if (model === undefined) return
  if (task === undefined || taskOptions(card.model, task)) return
  const wanted = findTask(task)
  if (wanted !== card.task && !defaultTasksOf(card.id).includes(wanted)) {
    throw new RestoreError('usage', `task: expected ${card.task}, which ${card.id} is for, got ${task}`)
  }
}
