/** A line of log.jsonl with figures: means over a number of training steps, or a validation. */
export interface LogRow {
  /** Steps done. */
  readonly step: number
  /** Unix time in seconds. */
  readonly time: number
  readonly kind: 'train' | 'validate'
  /** Losses, learning rate, speed and so on, or metrics. */
  readonly values: Readonly<Record<string, number>>
}

/** A line of log.jsonl with words: an image that was left out, or a change of recipe or data. */
export interface LogNote {
  /** Steps done. */
  readonly step: number
  /** Unix time in seconds. */
  readonly time: number
  readonly kind: 'note'
  readonly text: string
}
