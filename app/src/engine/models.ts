// The models that come with the app, by task.

import { cards, type ModelCard, tasks } from 'limpid/web'
import type { ModelChoice } from './engine.ts'

/** The best of several models for one task. */
const preferred = ['light-photo', 'light-upscale-x2']

const rank = ({ id }: ModelCard) => (preferred.includes(id) ? 0 : 1)

const isPackaged = ({ id, checkpoint, sha256 }: ModelCard) => sha256 && checkpoint === `${id}.safetensors`

/** Weights that are in the package and restore, the preferred ones first. */
const models: readonly ModelCard[] = cards
  .filter((card) => isPackaged(card) && card.task !== 'detect')
  .toSorted((a, b) => rank(a) - rank(b))

/** Whether the package has the network that finds out what is wrong. */
export const canLook = cards.some((card) => card.id === 'light-inspect' && isPackaged(card))

export function findModel(id: string): ModelCard | undefined {
  return models.find((card) => card.id === id)
}

/** Tasks that a network does besides that of its card. */
const alsoDoes: Readonly<Record<string, readonly string[]>> = {
  'light-photo': ['denoise'],
  'light-tone': ['dehaze', 'low-light'],
}

export function modelsFor(task: string): readonly ModelCard[] {
  return models.filter((card) => card.task === task || alsoDoes[card.id]?.includes(task))
}

/** Tasks that a model of the package does. */
export const availableTasks = tasks.map(({ id }) => id).filter((id) => modelsFor(id).length > 0)

/** A model of the package for a task. */
export function choiceOf(id: string, task: string, scale: number): ModelChoice {
  const card = findModel(id)
  const isOwnTask = card?.task === task || alsoDoes[id]?.includes(task)
  return { id, task: isOwnTask ? task : undefined, scale: card && card.scale > 1 ? scale : undefined }
}
