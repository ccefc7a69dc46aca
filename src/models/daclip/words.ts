// Texts that DA-CLIP compares pictures with, and the limit of its logit scale.

import type { DamageId } from '../damages.ts'

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

/** The word for each kind of damage that has one. */
export const wordsByDamage: Readonly<Partial<Record<DamageId, (typeof degradationWords)[number]>>> = {
  noise: 'noisy',
  jpeg: 'jpeg-compressed',
  'motion-blur': 'motion-blurry',
  rain: 'rainy',
  raindrops: 'raindrop',
  snow: 'snowy',
  haze: 'hazy',
  'low-light': 'low-light',
  shadow: 'shadowed',
  holes: 'uncompleted',
}

/** Upper limit of `logit_scale`, the natural logarithm of the factor on similarities. */
export const maxLogitScale = Math.log(100)
