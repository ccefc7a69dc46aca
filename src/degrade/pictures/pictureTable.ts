// Kinds of synthetic pictures by name.

import { deadLeaves } from './deadLeaves.ts'
import type { Picture } from './definePicture.ts'
import { gradients } from './gradients.ts'
import { gratings } from './gratings.ts'
import { lamps } from './lamps.ts'
import { lineArt } from './lineArt.ts'
import { stars } from './stars.ts'
import { text } from './text.ts'

/** Every kind of synthetic picture by name. */
export const pictures = {
  'dead-leaves': deadLeaves,
  text,
  'line-art': lineArt,
  gradients,
  stars,
  lamps,
  gratings,
} as const satisfies Readonly<Record<string, Picture>>

/** Name of a kind of synthetic picture. */
export type PictureName = keyof typeof pictures
