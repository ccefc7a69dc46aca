// How far a batch of pictures is, on stderr: one line that is rewritten on a terminal, else a line for each
// picture, and now and then one for a large picture.

import type { ProgressEvent } from '../../runtime/jobs/progress.ts'
import { formatSeconds, type GlobalOptions, reporter } from '../io/shell.ts'

/** Between two lines about one picture where they are not rewritten. */
const quietMs = 5000

interface Current {
  readonly name: string
  fraction: number
  pixels: number
  words: string
}

export class RestoreProgress {
  readonly #progress: ReturnType<typeof reporter>
  readonly #isTerminal = process.stderr.isTTY === true
  #started = performance.now()
  readonly #current = new Map<string, Current>()
  #done = 0
  #pixels = 0
  #lastMs = Number.NEGATIVE_INFINITY

  #total = 1

  constructor(options: GlobalOptions) {
    this.#progress = reporter(options)
  }

  /** Megapixels of the inputs that are done. */
  get megapixels(): number {
    return this.#pixels / 1e6
  }

  opening(): void {
    if (this.#isTerminal) this.#progress.show('opening the network')
  }

  /** The network is open; speed and time left are those from here on. */
  begin(total: number): void {
    this.#total = total
    this.#started = performance.now()
  }

  event(name: string, event: ProgressEvent): void {
    const { phase, done, total, pixels = 0, secondsLeft = 0 } = event
    const isRestoring = phase === 'restore'
    const left = formatSeconds(this.#total === 1 ? secondsLeft : this.#secondsLeft())
    const fraction = isRestoring ? done / total : 0
    const words = isRestoring ? placeOf(event) : 'reading'
    this.#current.set(name, { name, fraction, pixels, words })
    // Not rewritten, the first lines and the last ones of small pictures would tell nothing.
    if (!this.#isTerminal && (!isRestoring || done === total || !this.#isTime())) return
    this.#progress.show(
      `${this.#place()}${name}, ${words}${isRestoring ? `, ${this.#speed()}, ${left} left` : ''}`,
    )
  }

  /** A picture is written. */
  finish(name: string, seconds: number): void {
    this.#done++
    this.#pixels += this.#current.get(name)?.pixels ?? 0
    this.#current.delete(name)
    this.#lastMs = performance.now()
    if (this.#total === 1 || this.#isTerminal) return
    const left = formatSeconds(this.#secondsLeft())
    this.#progress.show(
      `${this.#done}/${this.#total} ${name}: ${formatSeconds(seconds)}, ${this.#speed()}, ${left} left`,
    )
  }

  fail(name: string, message: string): void {
    this.#done++
    this.#current.delete(name)
    if (this.#total > 1) this.say(`${this.#done}/${this.#total} failed: ${message}`)
  }

  /** A line that stays, and is told even where nothing else is. */
  say(line: string): void {
    this.#progress.clear()
    process.stderr.write(`${line}\n`)
  }

  /** The last line, unless told to be quiet. */
  end(line: string): void {
    this.#progress.clear()
    this.#progress.show(line)
    this.#progress.done()
  }

  /** Takes the line off, for a result to be printed. */
  clear(): void {
    this.#progress.clear()
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  #place(): string {
    return this.#total === 1 ? '' : `${Math.min(this.#done + 1, this.#total)}/${this.#total} `
  }

  /** Of all pixels that are restored, those of pictures under way included. */
  #speed(): string {
    const underWay = [...this.#current.values()].reduce(
      (sum, { pixels, fraction }) => sum + pixels * fraction,
      0,
    )
    return `${((this.#pixels + underWay) / 1e6 / this.seconds).toFixed(2)} MP/s`
  }

  #secondsLeft(): number {
    const underWay = [...this.#current.values()].reduce((sum, { fraction }) => sum + fraction, 0)
    const done = this.#done + underWay
    return done === 0 ? 0 : (this.seconds / done) * (this.#total - done)
  }

  #isTime(): boolean {
    const now = performance.now()
    if (now - this.#lastMs < quietMs) return false
    this.#lastMs = now
    return true
  }
}

/** Which tile, and of which step of which sample where there are several. */
function placeOf({ done, total, sampling }: ProgressEvent): string {
  if (!sampling) return `tile ${done}/${total}`
  const { step, steps, sample, samples, tile, tiles } = sampling
  return [
    ...(samples > 1 ? [`sample ${sample}/${samples}`] : []),
    `step ${step}/${steps}`,
    ...(tiles > 1 ? [`tile ${tile}/${tiles}`] : []),
  ].join(', ')
}
