// What a model card states about published weights, and their licenses: pure data, free of network code.

import type { Sampler, SdeOptions } from '../diffusion/irsde.ts'
import type { detection, TaskId } from './tasks.ts'

/** Licenses of code and weights, by the id that cards use. */
export const licenses = {
  apache: {
    title: 'Apache License 2.0',
    isCommercial: true,
    note: 'Free for any use under the Apache License 2.0.',
  },
  academic: {
    title: 'Academic Public License (Restormer)',
    isCommercial: false,
    note: 'Code and official weights of Restormer are for non-commercial use only; ask its authors for anything else.',
  },
  mit: {
    title: 'MIT License',
    isCommercial: true,
    note: 'Free for any use under the MIT License.',
  },
} as const

export type LicenseId = keyof typeof licenses

/** License of weights. */
export interface License {
  readonly title: string
  /** Whether commercial use is allowed. */
  /** Whether commercial use is allowed; undefined where only its text could tell. */
  readonly isCommercial: boolean | undefined
  /** One sentence for users. */
  readonly note: string
}

/** Sampling a network was trained for: its SDE, and the sampler it was published with. */
export interface TrainedSampling {
  readonly sde: SdeOptions
  readonly sampler: Sampler
}

/** Card of one set of weights. */
export interface NetworkCard {
  readonly id: string
  readonly task: TaskId | typeof detection.id
  readonly title: string
  /** Output side divided by input side. */
  readonly scale: number
  /** Network options that differ from the defaults. */
  readonly options: Readonly<Record<string, unknown>>
  /** Name of the official file, or `<id>.safetensors` for weights in the package. */
  readonly checkpoint: string
  /** SHA-256 of the packaged file. */
  readonly sha256?: string
  /** License of these weights. */
  readonly license: LicenseId
  readonly paper: string
  /** Result reported by the paper, or measured with `command`. */
  readonly reference?: {
    readonly set: string
    readonly protocol: string
    /** PSNR in dB (restorers). */
    readonly psnr?: number
    /** Accuracy, 0..1 (detectors). */
    readonly accuracy?: number
    readonly command?: string
  }
  /** Training data and command of Limpid's own weights. */
  readonly training?: { readonly data: string; readonly command: string }
  /** SDE and sampler, for networks that restore in steps. */
  readonly sampling?: TrainedSampling
  /** DA-CLIP that supplies the network's embeddings: a packaged id, or the name of the official file. */
  readonly guide?: string
}

/** Photos that all of Limpid's own weights were trained on. */
export const freePhotos = '234 free photos, listed with their authors and licenses in weights/ATTRIBUTION.tsv'
