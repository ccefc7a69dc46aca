// What a person has chosen, kept for the next visit.

import { storedSignal } from './stored.ts'
import type { Language } from './strings.ts'

export interface Settings {
  /** Undefined follows the browser. */
  readonly language?: Language | undefined
  /** Where photos are computed; undefined until somebody has chosen. */
  readonly place?: 'browser' | 'server' | undefined
  readonly theme: 'system' | 'light' | 'dark'
  readonly mode: 'auto' | 'hand'
  /** Task by hand, and the model of it; `own` is a file that was dropped. */
  readonly task: string
  readonly model: string
  /** Share of the restoration, 0..1. */
  readonly strength: number
  readonly scale: number
  readonly format: Format
  /** Quality of lossy formats, 1 to 100. */
  readonly quality: number
  readonly metadata: 'keep' | 'no-place' | 'none'
}

export type Format = 'same' | 'png' | 'jpeg' | 'webp'

const defaults: Settings = {
  theme: 'system',
  mode: 'auto',
  task: 'photo',
  model: 'light-photo',
  strength: 1,
  scale: 2,
  format: 'same',
  quality: 95,
  metadata: 'keep',
}

export const settings = storedSignal('limpid-settings', defaults)

export function change(changed: Partial<Settings>): void {
  settings.value = { ...settings.value, ...changed }
}
