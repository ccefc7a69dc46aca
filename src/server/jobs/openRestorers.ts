// Restorers that stay open between jobs: opening one costs more than restoring a small picture.

import { isAuto } from '../../runtime/modelChoice.ts'
import type { PictureRestorer } from '../../runtime/pictureRestorer.ts'
import { openRestorer } from '../../runtime/restore.ts'
import { networkOptions, type Settings } from '../protocol/settings.ts'

interface OpenRestorersOptions {
  /** Restorers to keep open. */
  readonly capacity: number
  /** Slots of jobs that share cores and memory. */
  readonly slots: number
  /** Where networks compute. @default the best device */
  readonly device?: string | undefined
  /** What they compute in. @default 'float32' */
  readonly dtype?: 'auto' | 'float32' | undefined
}

/** Restorers of one slot, which runs a job at a time; the one used longest ago is closed for another. */
export class OpenRestorers {
  readonly #options: OpenRestorersOptions
  readonly #open = new Map<string, PictureRestorer>()

  constructor(options: OpenRestorersOptions) {
    this.#options = options
  }

  /** Opens the networks of the settings, or finds them open. */
  async open(settings: Settings, signal: AbortSignal): Promise<PictureRestorer> {
    const options = networkOptions(settings)
    const key = JSON.stringify(options)
    const found = this.#open.get(key)
    this.#open.delete(key)
    for (const [oldest, restorer] of this.#open) {
      if (this.#open.size < this.#options.capacity) break
      this.#open.delete(oldest)
      await restorer.close()
    }
    const { slots, device, dtype } = this.#options
    // Task auto opens networks for later pictures, too, which do not end with this job.
    const ending = isAuto(options) ? undefined : signal
    const opening = { ...options, device, dtype, concurrentRestorers: slots, signal: ending }
    const restorer = found ?? (await openRestorer(opening))
    this.#open.set(key, restorer)
    return restorer
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((restorer) => restorer.close()))
    this.#open.clear()
  }
}
