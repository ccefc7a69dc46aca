// Texts that DA-CLIP compares pictures with, and the limit of its logit scale.

/** Prompts of the ten degradations, exactly as in the training of the published networks. */
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

/** Upper limit of `logit_scale`, the natural logarithm of the factor on similarities. */
export const maxLogitScale = Math.log(100)
