// Texts that DA-CLIP compares pictures with.

/** Prompts of the ten degradations, word for word as the published networks were trained with them. */
export const degradationWords = [
  'motion-blurry',
  'hazy',
  'jpeg-compressed',
  'low-light',
  'noisy',
  'raindrop',
  'rainy',
  'shadowed',
  'snowy',
  'uncompleted',
] as const

/** Upper limit of `logit_scale`, the logarithm of what similarities are multiplied by. */
export const maxLogitScale = Math.log(100)
