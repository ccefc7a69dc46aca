// What travels between a client and a server.

/** How a server restores a picture; as the options of the same names of `restore()`. */
export interface ServerSettings {
  /** A task, several such as 'denoise,upscale', or 'auto'. */
  readonly task?: string | undefined
  readonly model?: string | undefined
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
  readonly format?: 'png' | 'jpeg' | 'webp' | 'tiff' | 'avif' | undefined
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
