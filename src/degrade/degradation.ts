// What a degradation is: a pure function with a name, parameters that say their units and ranges, and a source.

import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'

/** Changes an image ([c h w], values about [0, 1]) without touching its input; all chance comes from `random`. */
export type Degrade = (image: Image, random: Random) => Image

/** A number, or a range from which each image draws uniformly. */
export type Amount = number | readonly [low: number, high: number]

export interface NumberParameter {
  readonly type: 'number'
  readonly summary: string
  /** 'px', '0..255', 'degrees' …; empty for a plain ratio. */
  readonly unit: string
  readonly minimum: number
  readonly maximum: number
  readonly isWhole?: boolean
  readonly default: Amount
}

export interface ChoiceParameter {
  readonly type: 'choice'
  readonly summary: string
  readonly choices: readonly string[]
  readonly default: string
}

export type Parameter = NumberParameter | ChoiceParameter
export type Parameters = Readonly<Record<string, Parameter>>

/** Values of a schema's parameters as a caller gives them: those left out take their default. */
export type Settings<P extends Parameters> = {
  readonly [K in keyof P]?: P[K] extends ChoiceParameter ? P[K]['choices'][number] : Amount
}

/** Values drawn for one image. */
export type Drawn<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends ChoiceParameter ? P[K]['choices'][number] : number
}

/** One kind of damage: callable in code with settings, and by name in a chain such as `noise:sigma=15 jpeg:quality=40`. */
export interface Degradation<P extends Parameters = Parameters> {
  readonly name: string
  readonly summary: string
  /** Where it comes from: paper section or file@commit. */
  readonly source: string
  readonly parameters: P
  readonly apply: (image: Image, drawn: Drawn<P>, random: Random) => Image
}
