// Progress events of everything that takes time.

/** Progress within a phase. */
export interface ProgressEvent {
  readonly phase: 'fetch' | 'open' | 'read' | 'restore'
  /** Units completed: bytes while weights are fetched, tiles while a picture is restored. */
  readonly done: number
  readonly total: number
  /** Estimated time to the end of the phase, where it can be estimated. */
  readonly secondsLeft?: number | undefined
  /** Number of pixels in the picture, while it is restored. */
  readonly pixels?: number | undefined
  /** Position of a network that samples: every step of every sample covers all tiles. */
  readonly sampling?: SamplingProgress | undefined
}

/** Position within sampling, all counted from 1. */
export interface SamplingProgress {
  readonly step: number
  readonly steps: number
  readonly sample: number
  readonly samples: number
  /** Tile of this step. */
  readonly tile: number
  readonly tiles: number
}

/** Receives progress events. */
export type OnProgress = (event: ProgressEvent) => void

/**
 * Starts a phase: the returned function reports progress and estimates the time left from the pace so far.
 */
export function progressOf(
  phase: ProgressEvent['phase'],
  onProgress: OnProgress | undefined,
  pixels?: number,
) {
  const started = performance.now()
  return (done: number, total: number, sampling?: SamplingProgress): void => {
    const secondsLeft = ((performance.now() - started) / 1000 / done) * (total - done)
    onProgress?.({ phase, done, total, secondsLeft, pixels, ...(sampling ? { sampling } : {}) })
  }
}
