// What can be done to a picture: pure data, safe in a browser.

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
