// Accepts pictures: stores the upload, looks at its header, and adds a job.

import type { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RestoreError } from '../../core/errors.ts'
import type { ImageSize } from '../../data/decode.ts'
import { sizeElsewhere } from '../../runtime/reading/readerProcess.ts'
import { ProblemError } from '../protocol/problems.ts'
import { canonical, type JobSettings, type Settings, writableFormat } from '../protocol/settings.ts'
import type { Store } from '../store/store.ts'
import type { Job, JobQueue, NewJob } from './job.ts'
import { hashOf, resultAddress } from './resultAddress.ts'
import { selectModels } from './selection.ts'

/** Bounds on requests. */
export interface Limits {
  /** Largest upload. */
  readonly bytes: number
  /** Largest input and result, in pixels. */
  readonly pixelsIn: number
  readonly pixelsOut: number
  /** Most unfinished jobs, of all and of one key. */
  readonly queue: number
  readonly ownerQueue: number
}

/** Who asks. */
export interface Caller {
  readonly owner: string
  /** Most unfinished jobs, where the key states its own limit. */
  readonly queue: number | undefined
}

/** A picture in the store. */
export interface StoredPicture {
  /** SHA-256 of its file. */
  readonly input: string
  readonly size: ImageSize
}

export interface Submission {
  readonly caller: Caller
  /** Reserved place in the queue, which the job takes. */
  readonly place: Disposable
  readonly id: string
  readonly picture: StoredPicture
  readonly settings: Settings
  readonly priority: number
  readonly requestKey: string | undefined
  readonly webhook: string | undefined
}

export interface Submitted {
  readonly job: Job
  /** Whether the request is new; false for a repeated one. */
  readonly isNew: boolean
}

/** Requests that are let in before the event loop has its turn, a third of a millisecond each. */
const mostAtOnce = 16

/** Headers that are read at once. */
const mostReading = 4

/** Time after which a refused request may be tried again. */
const retryAfterSeconds = 10

export class Intake {
  readonly #queue: JobQueue
  readonly #store: Store
  readonly #limits: Limits
  readonly #waiting: (() => void)[] = []
  #reading = 0
  /** Requests under way, by owner. */
  readonly #underWay = new Map<string, number>()
  #letIn = 0

  constructor({ queue, store, limits }: { queue: JobQueue; store: Store; limits: Limits }) {
    this.#queue = queue
    this.#store = store
    this.#limits = limits
  }

  /**
   * Reserves a place in the queue until its job is added, or refuses the request before its body is read.
   * @returns the place, to be released where the request ends without a job
   * @throws ProblemError 'busy'
   */
  async reserve({ owner, queue: own }: Caller): Promise<Disposable> {
    while (this.#letIn >= mostAtOnce) await nextTurn()
    if (this.#letIn++ === 0) setImmediate(() => (this.#letIn = 0))
    const { queue, ownerQueue } = this.#limits
    const others = [...this.#underWay.values()].reduce((sum, count) => sum + count, 0)
    const ofOwner = this.#underWay.get(owner) ?? 0
    const limits = { total: queue - others, owner: (own ?? ownerQueue) - ofOwner }
    this.#underWay.set(owner, ofOwner + 1)
    let isHeld = true
    const release = () => {
      if (!isHeld) return
      isHeld = false
      const left = (this.#underWay.get(owner) ?? 0) - 1
      if (left > 0) this.#underWay.set(owner, left)
      else this.#underWay.delete(owner)
    }
    try {
      if (!(await this.#queue.hasRoom(owner, limits))) throw busy()
    } catch (error) {
      release()
      throw error
    }
    return { [Symbol.dispose]: release }
  }

  /**
   * Stores an upload and looks at its header.
   * @param settings with the upload read first: a form has them in either order
   * @throws RestoreError 'usage' for settings, 'input' for a picture that is none or too large
   * @throws ProblemError 'too-large'
   */
  async accept<T extends Pick<Settings, 'page'>>(
    upload: Readable,
    settings: () => T,
  ): Promise<{ readonly picture: StoredPicture; readonly settings: T }> {
    const { sha256: input } = await this.#store.putInput(upload, this.#limits.bytes)
    const read = settings()
    const size = await this.#sizeOf(input, read.page)
    checkPixels('a size', size.width * size.height, this.#limits.pixelsIn)
    return { picture: { input, size }, settings: read }
  }

  /**
   * Adds the job of a picture; a result that is there already ends it at once.
   * @throws RestoreError 'usage' for settings, 'input' for a result that is too large
   * @throws ProblemError 'busy', 'contradiction', 'other-request'
   */
  async submit({
    caller,
    place,
    id,
    picture: { input, size },
    settings: asked,
    priority,
    requestKey,
    webhook,
  }: Submission): Promise<Submitted> {
    const { model, weights, enlargement } = selectModels(asked)
    checkPixels('a result', size.width * size.height * enlargement ** 2, this.#limits.pixelsOut)
    const settings: JobSettings = { ...asked, format: writableFormat(asked.format ?? size.format) }
    const { owner } = caller
    const requestHash = hashOf(input, canonical(settings), String(priority), ...(webhook ? [webhook] : []))
    const address = resultAddress({ scope: owner, input, settings, weights })
    const job: NewJob = {
      ...{ id, owner, settings, model, input, address, priority, requestKey, requestHash, webhook },
    }
    const limits = { total: this.#limits.queue, owner: caller.queue ?? this.#limits.ownerQueue }
    const isDone = (await this.#store.find(address)) !== undefined
    // From here on the queue counts the job itself.
    place[Symbol.dispose]()
    const added = isDone ? await this.#queue.addSucceeded(job) : await this.#queue.add(job, limits)
    if (added.kind === 'full') throw busy()
    if (added.kind === 'conflict')
      throw new ProblemError(
        'other-request',
        `${requestKey ?? id}: expected the picture and settings of the first request, got others; use another id or key`,
      )
    return added
  }

  /** Size from the header, read in another process before anything is decoded. */
  async #sizeOf(input: string, page: number | undefined): Promise<ImageSize> {
    if (this.#reading >= mostReading) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#reading++
    try {
      return await sizeElsewhere(await this.#store.input(input), {
        name: 'picture',
        ...(page ? { page } : {}),
      })
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#reading--
    }
  }
}

/** @throws RestoreError 'input' */
function checkPixels(what: string, pixels: number, limit: number): void {
  if (pixels <= limit) return
  throw new RestoreError(
    'input',
    `picture: expected ${what} of at most ${megapixels(limit)}, got ${megapixels(pixels)}; send a smaller picture`,
  )
}

/** A refusal for want of room. */
export function busy(): ProblemError {
  return new ProblemError(
    'busy',
    `queue: expected room for another picture, got none; try again after ${retryAfterSeconds} s`,
    { retryAfterSeconds },
  )
}

function megapixels(pixels: number): string {
  return `${(pixels / 1e6).toFixed(1)} megapixels`
}
