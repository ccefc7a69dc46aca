// What the app asks of whatever computes: this page's worker, or the server that delivers the page.

import type { Layer, Piece } from '../viewer/layers.ts'
import type { Rectangle } from '../viewer/view.ts'

/** What is done to a photo. */
export interface ModelChoice {
  /** Id of a card, the name of a file of one's own, or 'auto', which finds out what is wrong. */
  readonly id: string
  readonly task?: string | undefined
  /** Weights of one's own. */
  readonly file?: Blob | undefined
  /** Output side divided by input side, where it can be chosen. */
  readonly scale?: number | undefined
  /** Damage that 'auto' leaves as it is. */
  readonly never?: readonly string[] | undefined
  /** Damage that 'auto' treats in any case. */
  readonly damage?: readonly string[] | undefined
}

/** Something that takes time, for a person to see. */
export interface Progress {
  readonly phase: 'send' | 'wait' | 'fetch' | 'open' | 'read' | 'restore'
  readonly done: number
  readonly total: number
  readonly secondsLeft?: number | undefined
}

export interface RunEvents {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
  /** Receives parts of the result, in coordinates of the original, as soon as they are computed. */
  readonly onPiece?: ((piece: Piece) => void) | undefined
}

/** How a result is written. */
export interface Output {
  readonly type: 'image/png' | 'image/jpeg' | 'image/webp'
  /** 1 to 100. */
  readonly quality: number
  readonly strength: number
  readonly metadata: 'keep' | 'no-place' | 'none'
}

/** Damage that was found in a photo. */
export interface Found {
  readonly damage: string
  /** From faint, 0, to severe, 1. */
  readonly severity: number
  /** Whether it was left as it is, but could be treated. */
  readonly isOffered: boolean
}

/** What limpid tells of a repair. */
interface Repair {
  readonly findings: readonly { readonly damage: string; readonly severity: number }[]
  readonly untreated: readonly { readonly damage: string; readonly isOffered: boolean }[]
}

/** Damage that was found in a repair. */
export function foundIn({ findings, untreated }: Repair): readonly Found[] {
  const offered = untreated.filter(({ isOffered }) => isOffered).map(({ damage }) => damage)
  return findings.map(({ damage, severity }) => ({ damage, severity, isOffered: offered.includes(damage) }))
}

/** A restored picture, in full strength. */
export interface Restored {
  readonly width: number
  readonly height: number
  readonly model: string
  readonly device: string
  readonly seconds: number
  readonly notes: readonly string[]
  /** Undefined where nobody looked. */
  readonly found: readonly Found[] | undefined
  /** Whether nothing was wrong, so that the result is the original. */
  readonly isOriginal: boolean
  /** The picture for the viewer, in coordinates of the original. */
  layer(): Promise<Layer>
  encode(output: Output): Promise<Blob>
}

/** Weights that the browser keeps. */
export interface StoredModel {
  readonly name: string
  readonly sizeBytes: number
  delete(): Promise<void>
}

export interface Engine {
  /** Decodes a picture for the viewer. */
  decode(file: Blob, name: string): Promise<Layer>
  restore(file: Blob, name: string, choice: ModelChoice, events: RunEvents): Promise<Restored>
  /** Restores a part of a picture; its layer has that part alone. */
  preview(file: Blob, part: Rectangle, choice: ModelChoice, events: RunEvents): Promise<Layer>
  storedModels(): Promise<readonly StoredModel[]>
  /** Asks the browser to keep models when space runs out. */
  persist(): Promise<boolean>
}
