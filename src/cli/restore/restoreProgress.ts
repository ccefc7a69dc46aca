// Progress of a batch on stderr: one line that is rewritten on a terminal, otherwise a line for each picture and an occasional one for a
// large picture.

import type { ProgressEvent } from '../../runtime/jobs/progress.ts'
import type { Job } from '../io/outputPlan.ts'
import { formatSeconds, type GlobalOptions, printLine, reporter } from '../io/shell.ts'

/** Least time between lines about one picture where lines are not rewritten. */
const quietMs = 5000

/** A picture in a batch; results are unique, inputs and names are not. */
type Picture = Pick<Job, 'output' | 'name'>

interface Current {
  fraction: number
  pixels: number
  words: string
}

export class RestoreProgress {
  readonly #progress: ReturnType<typeof reporter>
  readonly #isTerminal = process.stderr.isTTY === true
  readonly #isQuiet: boolean
  #started = performance.now()
  readonly #current = new Map<string, Current>()
  #done = 0
  #failed = 0
  #pixels = 0
  #lastMs = Number.NEGATIVE_INFINITY

  #total = 1

  constructor(options: GlobalOptions) {
    this.#progress = reporter(options)
    this.#isQuiet = options.quiet === true
  }

  /** Megapixels of finished inputs. */
  get megapixels(): number {
    return this.#pixels / 1e6
  }

  opening(): void {
    if (this.#isTerminal) this.#progress.show('opening the network')
  }

  /** Starts timing, once the network is open. */
  begin(total: number): void {
    this.#total = total
    this.#started = performance.now()
  }

  event({ output, name }: Picture, event: ProgressEvent): void {
    const { phase, done, total, pixels = 0, secondsLeft = 0 } = event
    const isRestoring = phase === 'restore'
    const left = formatSeconds(this.#total === 1 ? secondsLeft : this.#secondsLeft())
    const fraction = isRestoring ? done / total : 0
    const words = isRestoring ? placeOf(event) : 'reading'
    this.#current.set(output, { fraction, pixels, words })
    // Lines that stay are few: none for small pictures.
    if (!this.#isTerminal && (!isRestoring || done === total || !this.#isTime())) return
    this.#progress.show(
      `${this.#place()}${name}, ${words}${isRestoring ? `, ${this.#speed()}, ${left} left` : ''}${this.#failures()}`,
    )
  }

  /** Counts a picture of `pixels` that was written. */
  finish({ output, name }: Picture, seconds: number, pixels: number): void {
    this.#done++
    this.#pixels += pixels
    this.#current.delete(output)
    this.#lastMs = performance.now()
    if (this.#total === 1 || this.#isTerminal) return
    const left = formatSeconds(this.#secondsLeft())
    this.#progress.show(
      `${this.#done}/${this.#total} ${name}: ${formatSeconds(seconds)}, ${this.#speed()}, ${left} left${this.#failures()}`,
    )
  }

  /** Counts a picture that failed; what failed is listed at the end. */
  fail({ output }: Picture): void {
    this.#done++
    this.#failed++
    this.#current.delete(output)
  }

  /** Prints a line that stays, even with --quiet. */
  say(line: string): void {
    this.#progress.clear()
    printLine(line)
  }

  /** Prints lines about a picture that stay, unless --quiet. */
  tell(name: string, lines: readonly string[]): void {
    if (this.#isQuiet) return
    for (const line of lines) this.say(`${name}: ${line}`)
  }

  /** Prints the last line, unless --quiet. */
  end(line: string): void {
    this.#progress.clear()
    this.#progress.show(line)
    this.#progress.done()
  }

  /** Clears the line, so that a result can be printed. */
  clear(): void {
    this.#progress.clear()
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  #place(): string {
    return this.#total === 1 ? '' : `${Math.min(this.#done + 1, this.#total)}/${this.#total} `
  }

  #failures(): string {
    return this.#failed === 0 ? '' : `, ${this.#failed} failed`
  }

  /** Speed over all restored pixels, including those of unfinished pictures. */
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

/** The current tile, step and sample in words. */
function placeOf({ done, total, sampling }: ProgressEvent): string {
  if (!sampling) return `tile ${done}/${total}`
  const { step, steps, sample, samples, tile, tiles } = sampling
  return [
    ...(samples > 1 ? [`sample ${sample}/${samples}`] : []),
    `step ${step}/${steps}`,
    ...(tiles > 1 ? [`tile ${tile}/${tiles}`] : []),
  ].join(', ')
}
