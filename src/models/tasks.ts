// What can be done to a picture, and by which model unless another is named: safe in a browser.

import { RestoreError } from '../core/errors.ts'

export const tasks = [
  { id: 'denoise', title: 'Remove noise' },
  { id: 'derain', title: 'Remove rain streaks' },
  { id: 'deblur', title: 'Remove motion blur' },
  { id: 'defocus-deblur', title: 'Sharpen what was out of focus' },
  { id: 'upscale', title: 'Enlarge, with detail' },
  {
    id: 'universal',
    title: 'Repair whatever is wrong: blur, haze, JPEG, dark, noise, drops, rain, shadow, snow, holes',
  },
] as const

export type TaskId = (typeof tasks)[number]['id']

/** For each task the models that do it unless another is named; several where they differ in scale, the usual one first. */
export const defaultModels: Readonly<Record<TaskId, readonly string[]>> = {
  denoise: ['light-photo'],
  derain: ['restormer-derain'],
  deblur: ['restormer-motion-deblur'],
  'defocus-deblur': ['restormer-defocus-single'],
  upscale: ['dasr-light-x2', 'dasr-x4-aniso', 'dasr-x3-iso'],
  universal: ['light-universal'],
}

/** What restores nothing: to tell which damage a picture has. */
export const detection = {
  id: 'detect',
  title: 'Tell which damage a photo has',
  model: 'light-detect',
} as const

/** Whether a model is taken where none is named. */
export function isDefaultModel({
  id,
  task,
}: {
  readonly id: string
  readonly task: TaskId | typeof detection.id
}): boolean {
  return task === detection.id ? id === detection.model : defaultModels[task].includes(id)
}

/** The task of this name; an unknown one lists those that exist. */
export function findTask(name: string): TaskId {
  const task = tasks.find(({ id }) => id === name)
  if (task) return task.id
  throw new RestoreError(
    'usage',
    `task: expected one of ${tasks.map(({ id }) => id).join(', ')}, got ${name}`,
  )
}
