// Tasks and the default model of each: pure data, safe in a browser.

/** Tasks by name. */
export const tasks = [
  { id: 'photo', title: 'Remove noise and JPEG artifacts of cameras and the web' },
  { id: 'denoise', title: 'Remove noise' },
  { id: 'derain', title: 'Remove rain streaks' },
  { id: 'desnow', title: 'Remove falling snow' },
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

export type TaskId = (typeof tasks)[number]['id']

/** Name of the task that finds out what is wrong, and takes the networks of the others. */
export const autoTask = 'auto'

/** Task of a network for which none is named. */
export const defaultTask = 'photo' satisfies TaskId

/** Default models of each task; of several scales, the preferred one first. */
export const defaultModels: Readonly<Record<TaskId, readonly string[]>> = {
  photo: ['light-photo'],
  denoise: ['light-photo'],
  derain: ['light-weather'],
  desnow: ['light-weather'],
  deblur: ['restormer-motion-deblur'],
  'defocus-deblur': ['restormer-defocus-single'],
  upscale: ['light-upscale-x2', 'light-upscale-x4'],
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

/** Tasks that a model is the default of. */
export function defaultTasksOf(id: string): readonly (TaskId | typeof detection.id)[] {
  const restored = tasks.flatMap((task) => (defaultModels[task.id].includes(id) ? [task.id] : []))
  return id === detection.model ? [...restored, detection.id] : restored
}
