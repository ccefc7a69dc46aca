// Kinds of damage that a photo is inspected for: pure data, safe in a browser.

/** Kinds of damage by name, in the order of light-inspect's outputs. */
export const damages = [
  { id: 'noise', title: 'noise' },
  { id: 'jpeg', title: 'blocks and ringing of JPEG and other codecs' },
  { id: 'motion-blur', title: 'motion blur' },
  { id: 'defocus', title: 'defocus' },
  { id: 'rain', title: 'rain streaks' },
  { id: 'raindrops', title: 'drops on the lens' },
  { id: 'snow', title: 'falling snow' },
  { id: 'haze', title: 'haze' },
  { id: 'low-light', title: 'darkness' },
  { id: 'shadow', title: 'a cast shadow' },
  { id: 'holes', title: 'holes and scratches' },
  { id: 'low-resolution', title: 'low resolution' },
] as const

/** Name of a kind of damage. */
export type DamageId = (typeof damages)[number]['id']

/** Names of the kinds of damage, in the order of light-inspect's outputs. */
export const damageIds: readonly DamageId[] = damages.map(({ id }) => id)

/** Forms of noise: alike everywhere, growing with the light as on a sensor, or grain coarser than a pixel. */
export const noiseForms = ['even', 'sensor', 'grain'] as const

/** Form of noise. */
export type NoiseForm = (typeof noiseForms)[number]
