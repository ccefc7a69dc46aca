// Tells what is wrong with pictures, in a thread: estimates take seconds for large pictures, and this one has to answer.

import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import type { OverrideRequest } from '../../auto/plan/overrides.ts'
import type { Plan } from '../../auto/plan/plan.ts'
import { type ErrorCode, messageOf, RestoreError } from '../../core/errors.ts'
import { startThread } from '../../data/ownPrograms.ts'
import { SerialQueue } from '../../runtime/jobs/serialQueue.ts'
import type { RunPictureOptions } from '../../runtime/restorer.ts'
import { busy } from './intake.ts'

/** A picture to look at. */
export interface LookRequest {
  readonly input: string | Uint8Array
  readonly overrides: OverrideRequest
  readonly options: Pick<RunPictureOptions, 'name' | 'page' | 'pixelLimit' | 'strength'>
}

export type LookReply = { readonly plan: Plan } | { readonly code: ErrorCode; readonly message: string }

/** What the thread is started with. */
export interface LookerThreadOptions {
  /** Where the network computes. @default the best device */
  readonly device?: string | undefined
}

export interface LookerOptions extends LookerThreadOptions {
  /** Longest time for a picture. */
  readonly timeoutMs: number
}

/** Most pictures that wait. */
const mostWaiting = 16

/** Looks at one picture at a time until it is closed; the thread starts with the first. */
export class Looker {
  readonly #threadOptions: LookerThreadOptions
  readonly #timeoutMs: number
  readonly #queue = new SerialQueue()
  #thread: Worker | undefined
  #waiting = 0

  constructor({ device, timeoutMs }: LookerOptions) {
    this.#threadOptions = { device }
    this.#timeoutMs = timeoutMs
  }

  /** Refuses a request before its body is read. @throws ProblemError 'busy' */
  checkRoom(): void {
    if (this.#waiting >= mostWaiting) throw busy()
  }

  /**
   * Looks at a picture.
   * @throws RestoreError as AutoRestorer.plan does, 'aborted'; ProblemError 'busy'
   */
  async look(request: LookRequest, signal: AbortSignal): Promise<Plan> {
    this.checkRoom()
    this.#waiting++
    try {
      return await this.#queue.run(() => this.#ask(request), signal)
    } finally {
      this.#waiting--
    }
  }

  async #ask(request: LookRequest): Promise<Plan> {
    this.#thread ??= this.#start()
    const thread = this.#thread
    thread.postMessage(request)
    try {
      const signal = AbortSignal.timeout(this.#timeoutMs)
      const [reply] = (await once(thread, 'message', { signal })) as [LookReply]
      if ('plan' in reply) return reply.plan
      throw new RestoreError(reply.code, reply.message)
    } catch (error) {
      if (error instanceof RestoreError) throw error
      this.#thread = undefined
      await thread.terminate()
      throw new RestoreError('crash', `detect: failed (${messageOf(error)}); try again`)
    }
  }

  #start(): Worker {
    const thread = startThread('worker/looker', { workerData: this.#threadOptions })
    // Failures are those of the picture at hand.
    thread.on('error', () => {})
    thread.unref()
    return thread
  }

  async close(): Promise<void> {
    await this.#thread?.terminate()
  }
}
