// Limits of the checks after each step: data alone.

import type { TaskId } from '../../models/tasks.ts'

/** What a step does to a picture, which decides what is checked. */
export type StepKind =
  /** Removes noise and blocks. */
  | 'cleans'
  /** Undoes blur. */
  | 'sharpens'
  /** Removes objects in front of the scene: rain, snow, drops. */
  | 'clears'
  /** Changes light and color. */
  | 'tones'

/** What can be wrong with a block. */
export type CheckName =
  | 'numbers'
  | 'structure'
  | 'color'
  | 'brightening'
  | 'clipping'
  | 'likeness'
  | 'halos'
  | 'noise'

/** Largest values of the measures that each kind of step may reach; a measure without one is not limited. */
export type Limits = Readonly<Partial<Record<Exclude<CheckName, 'numbers'>, number>>>

/** Limits by kind. Values are differences of 0..1 unless told otherwise. */
export const limits: Readonly<Record<StepKind, Limits>> = {
  // Structure: correlation of what was removed with the detail that is left.
  cleans: { structure: 0.5, color: 5 / 255, clipping: 0.01, likeness: 8 / 255, halos: 2 / 255, noise: 1.2 },
  sharpens: { color: 4 / 255, clipping: 0.02, likeness: 7 / 255, halos: 3 / 255, noise: 3 },
  // A veil of rain or snow whitens what is behind it, and hides what is clipped; none darkens.
  clears: { color: 80 / 255, brightening: 12 / 255, clipping: 0.1, halos: 3 / 255, noise: 1.5 },
  tones: { clipping: 0.08, halos: 5 / 255, noise: 3.5 },
}

/** Side of the blocks that are checked. */
export const blockPx = 32

/** Share of blocks that may fail, and fade back, before the whole step fails. */
export const maxFailed = 0.2

/** What a task does. */
export function stepKindOf(task: TaskId): StepKind {
  if (task === 'derain' || task === 'desnow') return 'clears'
  if (task === 'deblur' || task === 'defocus-deblur') return 'sharpens'
  if (task === 'dehaze' || task === 'low-light' || task === 'tone') return 'tones'
  return 'cleans'
}
