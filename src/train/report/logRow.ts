/** One line of the log: a stretch of training, or a validation. */
export interface Row {
  /** Steps done. */
  readonly step: number
  /** Unix time in seconds. */
  readonly time: number
  readonly kind: 'train' | 'validate'
  /** Loss, learning rate, speed … or metrics. */
  readonly values: Readonly<Record<string, number>>
}
