// The models that there are, by task: those that come with the app, or those of the server.

import { computed, signal } from '@preact/signals'
import { cards, type ModelCard, tasks } from 'limpid/web'
import type { ModelChoice } from './engine.ts'
import { place } from './place.ts'

/** The best of several models for one task. */
const preferred = ['light-photo', 'light-upscale-x2', 'light-upscale-x4']

const rank = ({ id }: ModelCard) => (preferred.includes(id) ? 0 : 1)

const isPackaged = ({ id, checkpoint, sha256 }: ModelCard) => sha256 && checkpoint === `${id}.safetensors`

const isRestoring = ({ task }: ModelCard) => task !== 'detect'

/** Ids of the server's models, once it has told them. */
export const serverModels = signal<readonly string[]>([])

/** Weights that restore, the preferred ones first. */
const models = computed((): readonly ModelCard[] => {
  const isThere =
    place.value === 'server' ? ({ id }: ModelCard) => serverModels.value.includes(id) : isPackaged
  return cards.filter((card) => isRestoring(card) && isThere(card)).toSorted((a, b) => rank(a) - rank(b))
})

/** Whether there is the network that finds out what is wrong; servers come with it. */
export const canLook = computed(
  () => place.value === 'server' || cards.some((card) => card.id === 'light-inspect' && isPackaged(card)),
)

export function findModel(id: string): ModelCard | undefined {
  return models.value.find((card) => card.id === id)
}

/** Tasks that a network does besides that of its card. */
const alsoDoes: Readonly<Record<string, readonly string[]>> = {
  'light-photo': ['denoise'],
  'light-tone': ['dehaze', 'low-light'],
  'light-weather': ['desnow'],
}

export function modelsFor(task: string): readonly ModelCard[] {
  return models.value.filter((card) => card.task === task || alsoDoes[card.id]?.includes(task))
}

/** Tasks that a model does. */
export const availableTasks = computed(() =>
  tasks.map(({ id }) => id).filter((id) => modelsFor(id).length > 0),
)

/** A model for a task. */
export function choiceOf(id: string, task: string, scale: number): ModelChoice {
  const card = findModel(id)
  const isOwnTask = card?.task === task || alsoDoes[id]?.includes(task)
  return { id, task: isOwnTask ? task : undefined, scale: card && card.scale > 1 ? scale : undefined }
}
