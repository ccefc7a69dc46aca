// What people should know about a training, told once each and kept in its log.

import { describeRejected, type Rejected } from '../../data/sources/check.ts'
import type { Journal } from './journal.ts'

export class Notes {
  readonly #tell: (note: string) => void
  readonly #journal: Journal | undefined
  readonly #leftOut = new Map<string, Rejected>()

  constructor(tell: (note: string) => void, journal: Journal | undefined) {
    this.#tell = tell
    this.#journal = journal
  }

  /** Images that turned out to be damaged. */
  get leftOut(): readonly Rejected[] {
    return [...this.#leftOut.values()]
  }

  add(text: string, step: number): void {
    this.#tell(text)
    this.#journal?.note(text, step)
  }

  leaveOut(images: readonly Rejected[], step: number): void {
    for (const image of images) {
      if (!this.#leftOut.has(image.name)) this.add(`left out ${describeRejected(image)}`, step)
      this.#leftOut.set(image.name, image)
    }
  }
}
