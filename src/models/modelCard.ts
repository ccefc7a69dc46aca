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
  bsd: {
    title: 'BSD 3-Clause License',
    isCommercial: true,
    note: 'Free for any use under the BSD 3-Clause License.',
  },
  mit: {
    title: 'MIT License',
    isCommercial: true,
    note: 'Free for any use under the MIT License.',
  },
  cc0: {
    title: 'CC0 1.0',
    isCommercial: true,
    note: 'Free for any use.',
  },
  'cc-by': {
    title: 'CC BY 4.0',
    isCommercial: true,
    note: 'Free for any use that names the author (CC BY 4.0).',
  },
  'cc-by-sa': {
    title: 'CC BY-SA 4.0',
    isCommercial: true,
    note: 'Free for any use that names the author; changed weights stay under CC BY-SA 4.0.',
  },
  'cc-by-nc': {
    title: 'CC BY-NC 4.0',
    isCommercial: false,
    note: 'For non-commercial use only, naming the author (CC BY-NC 4.0).',
  },
  'cc-by-nc-sa': {
    title: 'CC BY-NC-SA 4.0',
    isCommercial: false,
    note: 'For non-commercial use only, naming the author; changed weights stay under CC BY-NC-SA 4.0.',
  },
} as const

export type LicenseId = keyof typeof licenses

/** License of weights. */
export interface License {
  readonly title: string
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
  /** Network options that differ from the defaults; undefined where the weights alone tell all of them. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Name of the official file, or `<id>.safetensors` for weights in the package. */
  readonly checkpoint: string
  /** SHA-256 of the packaged file. */
  readonly sha256?: string
  /** Size of the packaged file. */
  readonly sizeBytes?: number
  /** Counts the weights that the package has had under this id. */
  readonly version?: number
  /** Time per megapixel of the result on two cores of a server, in seconds. */
  readonly secondsPerMegapixel?: number
  /** License of these weights. */
  readonly license: LicenseId
  /** Author of weights that the paper's authors did not train. */
  readonly author?: string
  /** Trained with a GAN, or in a way that is not stated: results may show detail that was never there. */
  readonly mayInvent?: boolean
  readonly paper: string
  /** Result reported by the paper, or measured with `command`. */
  readonly reference?: {
    readonly set: string
    readonly protocol: string
    /** PSNR in dB (restorers). */
    readonly psnr?: number
    /** That of the input, upscaled bicubically where it is smaller. */
    readonly inputPsnr?: number
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
