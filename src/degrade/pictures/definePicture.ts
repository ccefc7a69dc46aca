// What a synthetic picture is: a pure function of a size and chance.

import type { Random } from '../../core/random.ts'
import type { Image } from '../../data/image.ts'
import type { Size } from './canvas.ts'

/** Draws an image [3 h w], values in 0..1 and multiples of 1/255; all chance comes from `random`. */
export type DrawPicture = (size: Size, random: Random) => Image

/** One kind of synthetic picture that training draws its targets from. */
export interface Picture {
  readonly summary: string
  readonly draw: DrawPicture
}
