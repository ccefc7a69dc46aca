// The answering side of calls between threads.

import { type ErrorCode, messageOf, RestoreError } from '../../core/errors.ts'

/** What a call sends, receives, and reports meanwhile. */
export interface CallShape {
  readonly sent: unknown
  readonly received: unknown
  readonly event: unknown
}

/** A call, or the abort of one. */
export type Request =
  | { readonly id: number; readonly kind: 'abort' }
  | { readonly id: number; readonly kind: string; readonly sent: unknown }

/** An event of a call, its result, or its failure. */
export type Reply =
  | { readonly id: number; readonly kind: 'event'; readonly event: unknown }
  | { readonly id: number; readonly kind: 'done'; readonly received: unknown }
  | {
      readonly id: number
      readonly kind: 'failed'
      /** Undefined for an error that is none of Limpid's. */
      readonly code: ErrorCode | undefined
      readonly message: string
    }

/** The scope of a worker, as far as it is used. */
export interface WorkerScope {
  postMessage(message: Reply, transfer: readonly ArrayBufferLike[]): void
  addEventListener(type: 'message', listener: (event: { readonly data: Request }) => void): void
}

/** What an answer may use. */
export interface CallContext<Event> {
  readonly signal: AbortSignal
  /** Reports an event, whose memory moves to the caller. */
  readonly onEvent: (event: Event) => void
}

/** Answers to all calls, by kind. */
export type Answers<Calls extends { readonly [K in keyof Calls]: CallShape }> = {
  readonly [K in keyof Calls]: (
    sent: Calls[K]['sent'],
    context: CallContext<Calls[K]['event']>,
  ) => Promise<Calls[K]['received']> | Calls[K]['received']
}

/** Answers calls in a worker. Memory of events and results moves to the caller instead of being copied. */
export function serveCalls<Calls extends { readonly [K in keyof Calls]: CallShape }>(
  scope: WorkerScope,
  answers: Answers<Calls>,
): void {
  const running = new Map<number, AbortController>()
  const post = (reply: Reply, held: unknown) => scope.postMessage(reply, [...buffersIn(held)])

  scope.addEventListener('message', async ({ data: request }) => {
    const { id, kind } = request
    if (!('sent' in request)) return running.get(id)?.abort()
    const controller = new AbortController()
    running.set(id, controller)
    const onEvent = (event: unknown) => post({ id, kind: 'event', event }, event)
    try {
      const answer = answers[kind as keyof Calls]
      const received = await answer(request.sent, { signal: controller.signal, onEvent })
      post({ id, kind: 'done', received }, received)
    } catch (error) {
      const code = error instanceof RestoreError ? error.code : undefined
      post({ id, kind: 'failed', code, message: messageOf(error) }, undefined)
    } finally {
      running.delete(id)
    }
  })
}

/** Memory of all arrays in a value, each once. */
function buffersIn(value: unknown, found = new Set<ArrayBuffer>()): ReadonlySet<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer)
  } else if (Array.isArray(value)) for (const one of value) buffersIn(one, found)
  else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    for (const one of Object.values(value)) buffersIn(one, found)
  return found
}
