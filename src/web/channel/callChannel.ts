// The calling side of calls between threads: each call has an id, under which the other side reports events and
// answers.

import { messageOf, RestoreError } from '../../core/errors.ts'
import { checkAborted, untilAborted } from '../../runtime/jobs/serialQueue.ts'
import type { CallShape, Reply } from './serveCalls.ts'

/** An uncaught error of a worker. */
export interface WorkerFailure {
  readonly message?: string
  preventDefault?(): void
}

/** The browser's Worker, as far as it is used. */
export interface WorkerLike {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(type: 'error', listener: (event: WorkerFailure) => void): void
  terminate(): void
}

/** A call that is not answered yet. */
interface Pending {
  readonly resolve: (received: unknown) => void
  readonly reject: (error: unknown) => void
  readonly onEvent: ((event: never) => void) | undefined
}

/** Options of a call. */
export interface CallOptions<Event> {
  /** Tells the other side to stop; the call rejects at once. */
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: Event) => void) | undefined
}

/** Calls what a worker serves, until `close`. */
export class CallChannel<Calls extends { readonly [K in keyof Calls]: CallShape }> {
  readonly #worker: WorkerLike
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #failure: RestoreError | undefined

  /** @param failed builds the error of calls whose worker failed for a reason */
  constructor(worker: WorkerLike, failed: (reason: string) => RestoreError) {
    this.#worker = worker
    worker.addEventListener('message', ({ data }) => this.#receive(data as Reply))
    worker.addEventListener('error', (event) => {
      // Otherwise the failure of a worker's own worker is one of its own.
      event.preventDefault?.()
      this.#rejectAll(failed(event.message || 'its script cannot be loaded'))
    })
  }

  /** Calls; rejects with the error of the other side. */
  async call<K extends keyof Calls & string>(
    kind: K,
    sent: Calls[K]['sent'],
    { signal, onEvent }: CallOptions<Calls[K]['event']> = {},
  ): Promise<Calls[K]['received']> {
    checkAborted(signal)
    if (this.#failure) throw this.#failure
    const id = ++this.#lastId
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent })
    })
    const abort = () => this.#worker.postMessage({ id, kind: 'abort' })
    signal?.addEventListener('abort', abort)
    try {
      this.#send({ id, kind, sent })
      return (await untilAborted(answer, signal)) as Calls[K]['received']
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#pending.delete(id)
    }
  }

  /** Ends the worker; calls that are not answered are rejected. */
  close(error: RestoreError): void {
    this.#worker.terminate()
    this.#rejectAll(error)
    this.#failure = error
  }

  #send(call: { readonly id: number; readonly kind: string; readonly sent: unknown }): void {
    try {
      this.#worker.postMessage(call)
    } catch (error) {
      const expected = 'expected a picture and options that can be copied to a worker'
      throw new RestoreError('usage', `${call.kind}: ${expected} (${messageOf(error)})`, { cause: error })
    }
  }

  #receive(reply: Reply): void {
    const pending = this.#pending.get(reply.id)
    if (reply.kind === 'event') pending?.onEvent?.(reply.event as never)
    else if (reply.kind === 'done') pending?.resolve(reply.received)
    else pending?.reject(reply.code ? new RestoreError(reply.code, reply.message) : new Error(reply.message))
  }

  #rejectAll(error: RestoreError): void {
    for (const { reject } of this.#pending.values()) reject(error)
  }
}
