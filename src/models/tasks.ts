// Tasks and the default model of each: pure data, safe in a browser.

/** Tasks by name, whether or not there is a model for them yet; registry/cards.ts lists those that have one. */
export const allTasks = [
  { id: 'denoise', title: 'Remove noise' },
  { id: 'derain', title: 'Remove rain streaks' },
  { id: 'deblur', title: 'Remove motion blur' },
  { id: 'defocus-deblur', title: 'Sharpen what is out of focus' },
  { id: 'upscale', title: 'Enlarge, with detail' },
  { id: 'dehaze', title: 'Remove haze and fog' },
  { id: 'low-light', title: 'Brighten what is too dark, and balance its colors' },
  { id: 'tone', title: 'Mend haze, darkness, light from behind, fading and color casts' },
  {
    id: 'universal',
    title: 'Repair any damage: blur, haze, JPEG, dark, noise, drops, rain, shadow, snow, holes',
  },
] as const

export type TaskId = (typeof allTasks)[number]['id']

/** Default models of each task: one per scale, the preferred scale first. */
export const defaultModels: Readonly<Record<TaskId, readonly string[]>> = {
  denoise: ['light-photo'],
  derain: ['restormer-derain'],
  deblur: ['restormer-motion-deblur'],
  'defocus-deblur': ['restormer-defocus-single'],
  upscale: ['dasr-light-x2', 'dasr-x4-aniso', 'dasr-x3-iso'],
  dehaze: ['light-tone'],
  'low-light': ['light-tone'],
  tone: ['light-tone'],
  universal: ['light-universal'],
}

/** The task that restores nothing: it identifies the damage in a picture. */
export const detection = {
  id: 'detect',
  title: 'Identify the damage in a photo',
  model: 'light-detect',
} as const

/** Whether a model is a default of its task. */
export function isDefaultModel({
  id,
  task,
}: {
  readonly id: string
  readonly task: TaskId | typeof detection.id
}): boolean {
  return task === detection.id ? id === detection.model : defaultModels[task].includes(id)
}
