/** One line of log.jsonl: means over a number of training steps, or a validation. */
export interface LogRow {
  /** Steps done. */
  readonly step: number
  /** Unix time in seconds. */
  readonly time: number
  readonly kind: 'train' | 'validate'
  /** Losses, learning rate, speed and so on, or metrics. */
  readonly values: Readonly<Record<string, number>>
}
