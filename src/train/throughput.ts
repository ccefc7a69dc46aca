// Training speed and mean losses between two rows of the log.

import type { LogRow } from './report/logRow.ts'

interface StepResult {
  readonly losses: Readonly<Record<string, number>>
  readonly norm: number | undefined
  readonly images: number
}

export class Throughput {
  readonly #steps: number
  readonly #firstStep: number
  readonly #started = performance.now()
  #since = performance.now()
  #sums: Record<string, number> = {}
  #count = 0
  #images = 0
  /** Seconds that the loader had waited at the previous row. */
  #waited = 0
  /** Exponential moving average. */
  #loss = Number.NaN

  constructor(steps: number, firstStep: number) {
    this.#steps = steps
    this.#firstStep = firstStep
  }

  get loss(): number {
    return this.#loss
  }

  count({ losses, norm, images }: StepResult): void {
    const total = Object.values(losses).reduce((sum, value) => sum + value, 0)
    const values = { ...losses, loss: total, ...(norm === undefined ? {} : { gradNorm: norm }) }
    for (const [name, value] of Object.entries(values)) this.#sums[name] = (this.#sums[name] ?? 0) + value
    this.#loss = Number.isNaN(this.#loss) ? total : 0.98 * this.#loss + 0.02 * total
    this.#count++
    this.#images += images
  }

  /** Progress line: step, loss, learning rate, speed, time left. */
  line(done: number, rate: number): string {
    const seconds = (performance.now() - this.#started) / 1000
    const perStep = seconds / Math.max(done - this.#firstStep, 1)
    const speed = perStep < 1 ? `${(1 / perStep).toFixed(1)} steps/s` : `${perStep.toFixed(1)} s/step`
    const left = perStep * (this.#steps - done)
    return `step ${done}/${this.#steps}  loss ${this.#loss.toPrecision(4)}  lr ${rate.toPrecision(3)}  ${speed}  ${duration(left)} left`
  }

  /** Returns means since the previous row; `waited` is the loader's total waiting time in seconds. */
  row(step: number, rate: number, waited: number): LogRow {
    const seconds = (performance.now() - this.#since) / 1000
    const means = Object.entries(this.#sums).map(([name, sum]) => [name, sum / this.#count] as const)
    const values = {
      ...Object.fromEntries(means),
      learningRate: rate,
      secondsPerStep: seconds / this.#count,
      imagesPerSecond: this.#images / seconds,
      dataWait: (waited - this.#waited) / seconds,
    }
    this.#since = performance.now()
    this.#sums = {}
    this.#count = 0
    this.#images = 0
    this.#waited = waited
    return { step, time: Date.now() / 1000, kind: 'train', values }
  }
}

/** Seconds as '12 s', '3 min', '5 h 10 min' or '2 d 3 h'. */
function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60)
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (minutes < 60) return `${minutes} min`
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`
}
