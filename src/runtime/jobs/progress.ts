// How far a restoration is: one kind of event for all that takes time.

export interface ProgressEvent {
  readonly phase: 'open' | 'read' | 'restore'
  readonly done: number
  readonly total: number
  /** Until the end of the phase, where it can be told. */
  readonly secondsLeft?: number | undefined
  /** Of the picture, while it is restored. */
  readonly pixels?: number | undefined
  /** Where a network that samples is: each step of each sample goes through all tiles. */
  readonly sampling?: SamplingProgress | undefined
}

export interface SamplingProgress {
  readonly step: number
  readonly steps: number
  readonly sample: number
  readonly samples: number
  /** Of this step. */
  readonly tile: number
  readonly tiles: number
}

export type OnProgress = (event: ProgressEvent) => void

/** Counts the steps of a phase from now on; the time left is taken from those that are done. */
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
