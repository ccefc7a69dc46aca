// Type of a synthetic picture: a pure function of a size and a random stream.

import type { Random } from '../../core/random.ts'
import type { Image } from '../../data/image.ts'
import type { Size } from './canvas.ts'

/** Draws an image [3 h w] of multiples of 1/255 in 0..1; `random` is the only source of chance. */
export type DrawPicture = (size: Size, random: Random) => Image

/** A kind of synthetic picture for training targets. */
export interface Picture {
  readonly summary: string
  readonly draw: DrawPicture
}
