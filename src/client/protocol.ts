// What travels between a client and a server.

/** How a server restores a picture; as the options of the same names of `restore()`. */
export interface ServerSettings {
  /** A task, several such as 'denoise,upscale', or 'auto'. */
  readonly task?: string | undefined
  readonly model?: string | undefined
  /** With task 'auto': kinds of damage that are treated if they are found, no others, such as 'noise,jpeg'. */
  readonly only?: string | undefined
  /** With task 'auto': kinds of damage that are left as they are. */
  readonly never?: string | undefined
  /** With task 'auto' or 'universal': kinds of damage that are treated in any case. */
  readonly damage?: string | undefined
  readonly scale?: number | undefined
  readonly strength?: number | undefined
  readonly selfEnsemble?: boolean | undefined
  readonly steps?: number | undefined
  readonly samples?: number | undefined
  readonly seed?: number | undefined
  readonly page?: number | undefined
  readonly opacity?: 'keep' | 'restore' | undefined
  readonly background?: string | undefined
  /** @default that of the input, where it can be written */
  readonly format?: 'png' | 'jpeg' | 'jpg' | 'webp' | 'tiff' | 'tif' | 'avif' | undefined
  readonly quality?: number | undefined
  /** Omits all metadata, or only where the photo was taken. @default all is kept */
  readonly strip?: 'all' | 'location' | undefined
}

/** A job of a server; times as ISO 8601. */
export interface ServerJob {
  readonly id: string
  readonly state: 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled'
  readonly model: string
  readonly settings: ServerSettings
  /** Jobs before this one, while it is queued. */
  readonly position?: number | undefined
  /** Tiles or steps that are done, while it is running. */
  readonly progress?:
    | { readonly done: number; readonly total: number; readonly secondsLeft?: number | undefined }
    | undefined
  readonly attempts: number
  readonly created: string
  readonly started?: string | undefined
  readonly finished?: string | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
  readonly links: {
    readonly self: string
    readonly events: string
    readonly result?: string | undefined
    readonly report?: string | undefined
  }
}

/** Settings of {@link Client.detect}. */
export type LookSettings = Pick<ServerSettings, 'only' | 'never' | 'damage' | 'strength' | 'page'>

/** What is wrong with a picture, and what task 'auto' would do. */
export interface ServerPlan {
  readonly findings: readonly {
    readonly damage: string
    /** From faint, 0, to severe, 1. */
    readonly severity: number
    /** Probability that it is there, 0..1. */
    readonly confidence: number
    readonly by: readonly ('network' | 'estimates' | 'caller')[]
    /** Form of noise. */
    readonly form?: 'even' | 'sensor' | 'grain' | undefined
  }[]
  /** In order. */
  readonly steps: readonly {
    readonly damages: readonly string[]
    readonly task: string
    /** In the order in which they are tried. */
    readonly models: readonly string[]
    readonly strength: number
  }[]
  readonly untreated: readonly {
    readonly damage: string
    readonly reason: string
    /** Whether the setting `damage` would treat it. */
    readonly isOffered: boolean
  }[]
}

/** A model of a server. */
export interface ServerModel {
  readonly id: string
  readonly title: string
  readonly task: string
  /** Output side divided by input side. */
  readonly scale: number
  /** Tasks that pick this model. */
  readonly defaultFor: readonly string[]
  readonly license: string
  /** Whether the license allows commercial use. */
  readonly commercial: boolean
  readonly secondsPerMegapixel?: number | undefined
}

/** How a picture was restored. */
export interface ServerReport {
  readonly format: 'png' | 'jpeg' | 'webp' | 'tiff' | 'avif'
  /** Size of the result. */
  readonly bytes: number
  readonly sha256: string
  /** As `result.info` of the library. */
  readonly info: {
    readonly width: number
    readonly height: number
    readonly scale: number
    readonly model: string
    readonly device: string
    readonly seconds: { readonly restore: number }
    readonly notes: readonly string[]
    /** What task 'auto' found, did and left. */
    readonly repair?:
      | (Pick<ServerPlan, 'findings' | 'untreated'> & { readonly done: readonly object[] })
      | undefined
  }
}

/** Several pictures restored with the same settings. */
export interface ServerBatch {
  readonly id: string
  readonly state: 'queued' | 'running' | 'finished'
  readonly counts: Readonly<Record<ServerJob['state'], number>>
  /** `number` is the place among the pictures that were sent, from 1. */
  readonly jobs: readonly (ServerJob & { readonly number: number })[]
  /** Pictures without a job, when the batch is made. */
  readonly refused?: readonly { readonly number: number; readonly problem: ServerProblem }[] | undefined
  readonly links: { readonly self: string; readonly results: string }
}

/** Why a request was refused (RFC 9457). */
export interface ServerProblem {
  /** Address of the explanation. */
  readonly type: string
  readonly title: string
  readonly status: number
  /** Where, what was expected, what came, what to do. */
  readonly detail: string
  /** The problem, for programs. */
  readonly code: string
}
