// The client of a server: fetch alone, in Node and in browsers.

import { type ErrorCode, errorCodes, RestoreError } from '../core/errors.ts'
import type {
  LookSettings,
  ServerBatch,
  ServerJob,
  ServerModel,
  ServerPlan,
  ServerReport,
  ServerSettings,
} from './protocol.ts'

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** Address of the server, such as 'http://127.0.0.1:8080'. */
  readonly address: string | URL
  /** API key, where the server asks for one. */
  readonly key?: string | undefined
}

/** Options of {@link Client.submit}. */
export interface SubmitOptions extends ServerSettings {
  /** Id for the job: the same request again gives the same job. @default a new one */
  readonly id?: string | undefined
  /** −10..10; higher ones come first. @default 0 */
  readonly priority?: number | undefined
  /** Address that is told how the job ended, of hosts that the server lists for it. */
  readonly webhook?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Options of {@link Client.restore}. */
export interface RemoteRestoreOptions extends SubmitOptions {
  /** Receives every state of the job. */
  readonly onProgress?: ((job: ServerJob) => void) | undefined
}

/** Options of {@link Client.detect}. */
export interface DetectOptions extends LookSettings {
  readonly signal?: AbortSignal | undefined
}

/** Options of {@link Client.submitBatch}. */
export interface BatchOptions extends Omit<SubmitOptions, 'id'> {
  /** The same key again gives the same batch. */
  readonly key?: string | undefined
}

/** A refused request. */
export class ServerError extends Error {
  /** HTTP status. */
  readonly status: number
  /** Code of the problem, as the server's /docs lists them. */
  readonly code: string
  /** Time after which to try again, where the server states one. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    message: string,
    facts: { status: number; code: string; retryAfterSeconds: number | undefined },
  ) {
    super(message)
    this.name = 'ServerError'
    this.status = facts.status
    this.code = facts.code
    this.retryAfterSeconds = facts.retryAfterSeconds
  }
}

/** Time after which a broken stream of events is opened again. */
const reconnectMs = 1000

/** Sends pictures to a server and fetches results. */
export class Client {
  readonly #address: string
  readonly #headers: Readonly<Record<string, string>>

  constructor({ address, key }: ClientOptions) {
    this.#address = String(address).replace(/\/$/, '')
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  }

  /**
   * Restores a picture and waits for it; an abort cancels the job.
   * @throws ServerError for a refused request; RestoreError for a picture that cannot be restored, 'aborted'
   */
  async restore(picture: Blob, { onProgress, ...options }: RemoteRestoreOptions = {}): Promise<Blob> {
    const { signal } = options
    const made = await this.submit(picture, options)
    try {
      for await (const job of this.events(made.id, { signal })) {
        onProgress?.(job)
        if (job.state === 'succeeded') return await this.result(job.id, { signal })
        if (job.state === 'failed' && job.error) throw failed(job.error)
        if (job.state === 'canceled') throw new RestoreError('aborted', `${job.id}: canceled`)
      }
    } catch (error) {
      if (!signal?.aborted) throw error
      await this.cancel(made.id).catch(() => {})
    }
    throw new RestoreError('aborted', `${made.id}: canceled`)
  }

  /** Makes a job. @throws ServerError */
  async submit(picture: Blob, { id, signal, ...settings }: SubmitOptions = {}): Promise<ServerJob> {
    const path = id === undefined ? '/v1/jobs' : `/v1/jobs/${encodeURIComponent(id)}`
    const method = id === undefined ? 'POST' : 'PUT'
    const answer = await this.#fetch(`${path}?${queryOf(settings)}`, { method, ...bodyOf(picture), signal })
    return answer.json() as Promise<ServerJob>
  }

  /** Makes jobs of several pictures with the same settings. @throws ServerError */
  async submitBatch(
    pictures: readonly Blob[],
    { key, signal, ...settings }: BatchOptions = {},
  ): Promise<ServerBatch> {
    const form = new FormData()
    for (const picture of pictures) form.append('picture', picture)
    const answer = await this.#fetch(`/v1/batches?${queryOf(settings)}`, {
      ...{ method: 'POST', body: form, signal },
      headers: key === undefined ? {} : { 'idempotency-key': key },
    })
    return answer.json() as Promise<ServerBatch>
  }

  /** Finds a batch. @throws ServerError */
  async batch(id: string): Promise<ServerBatch> {
    return (await this.#fetch(`/v1/batches/${encodeURIComponent(id)}`)).json() as Promise<ServerBatch>
  }

  /** Fetches the results of a batch that are there, as a zip. @throws ServerError */
  async batchResults(id: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Blob> {
    return (await this.#fetch(`/v1/batches/${encodeURIComponent(id)}/results`, { signal })).blob()
  }

  /** Cancels the jobs of a batch that are not done. @throws ServerError */
  async cancelBatch(id: string): Promise<ServerBatch> {
    const answer = await this.#fetch(`/v1/batches/${encodeURIComponent(id)}/cancel`, { method: 'POST' })
    return answer.json() as Promise<ServerBatch>
  }

  /** Tells what is wrong with a picture, and what task 'auto' would do. @throws ServerError */
  async detect(picture: Blob, { signal, ...settings }: DetectOptions = {}): Promise<ServerPlan> {
    const path = `/v1/detect?${queryOf(settings)}`
    const answer = await this.#fetch(path, { method: 'POST', ...bodyOf(picture), signal })
    return answer.json() as Promise<ServerPlan>
  }

  /** Lists the models whose weights the server has. @throws ServerError */
  async models(): Promise<readonly ServerModel[]> {
    const { models } = (await (await this.#fetch('/v1/models')).json()) as {
      models: readonly ServerModel[]
    }
    return models
  }

  /** Finds a job. @throws ServerError */
  async job(id: string): Promise<ServerJob> {
    return (await this.#fetch(`/v1/jobs/${encodeURIComponent(id)}`)).json() as Promise<ServerJob>
  }

  /** Follows a job to its end, over lost connections. @throws ServerError, 'aborted' as fetch does */
  async *events(
    id: string,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ServerJob> {
    let last = ''
    for (;;) {
      try {
        const headers: Record<string, string> = last === '' ? {} : { 'last-event-id': last }
        const answer = await this.#fetch(`/v1/jobs/${encodeURIComponent(id)}/events`, { headers, signal })
        for await (const event of eventsIn(answer)) {
          last = event.id
          const job = JSON.parse(event.data) as ServerJob
          yield job
          if (job.state !== 'queued' && job.state !== 'running') return
        }
      } catch (error) {
        if (error instanceof ServerError || signal?.aborted) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, reconnectMs))
    }
  }

  /** Fetches the restored picture of a job that succeeded. @throws ServerError */
  async result(id: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Blob> {
    return (await this.#fetch(`/v1/jobs/${encodeURIComponent(id)}/result`, { signal })).blob()
  }

  /** Tells how the picture of a job that succeeded was restored. @throws ServerError */
  async report(id: string): Promise<ServerReport> {
    const answer = await this.#fetch(`/v1/jobs/${encodeURIComponent(id)}/report`)
    return answer.json() as Promise<ServerReport>
  }

  /** Cancels a job. @throws ServerError */
  async cancel(id: string): Promise<ServerJob> {
    const answer = await this.#fetch(`/v1/jobs/${encodeURIComponent(id)}/cancel`, { method: 'POST' })
    return answer.json() as Promise<ServerJob>
  }

  /** Cancels a job if it is under way, and deletes it with its result. @throws ServerError */
  async delete(id: string): Promise<void> {
    await this.#fetch(`/v1/jobs/${encodeURIComponent(id)}`, { method: 'DELETE' })
  }

  async #fetch(path: string, init: FetchOptions = {}): Promise<Response> {
    const { signal, headers, ...rest } = init
    const answer = await fetch(`${this.#address}${path}`, {
      ...rest,
      headers: { ...this.#headers, ...headers },
      ...(signal ? { signal } : {}),
    })
    if (answer.ok) return answer
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string; code?: string }
    const wait = answer.headers.get('retry-after')
    throw new ServerError(problem.detail ?? `${path}: the server answered with ${answer.status}`, {
      status: answer.status,
      code: problem.code ?? 'unknown',
      retryAfterSeconds: wait === null ? undefined : Number(wait),
    })
  }
}

interface FetchOptions {
  readonly method?: string
  readonly body?: Blob | FormData
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens a client of a `limpid serve`.
 * @example
 * ```ts
 * const client = createClient({ address: 'http://127.0.0.1:8080' })
 * const clean = await client.restore(photo, { task: 'denoise' })
 * ```
 */
export function createClient(options: ClientOptions): Client {
  return new Client(options)
}

function queryOf(settings: object): URLSearchParams {
  const stated = Object.entries(settings).filter(([, value]) => value !== undefined)
  return new URLSearchParams(stated.map(([name, value]): [string, string] => [name, String(value)]))
}

function bodyOf(picture: Blob): Pick<FetchOptions, 'body' | 'headers'> {
  return { body: picture, headers: { 'content-type': picture.type || 'application/octet-stream' } }
}

function failed({ code, message }: { readonly code: string; readonly message: string }): RestoreError {
  const known = Object.keys(errorCodes).find((name): name is ErrorCode => name === code)
  return new RestoreError(known ?? 'crash', message)
}

/** Server-sent events of a response that have data. */
async function* eventsIn(answer: Response): AsyncGenerator<{ id: string; data: string }> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let buffered = ''
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    buffered += part.value
    const blocks = buffered.split('\n\n')
    buffered = blocks.pop() ?? ''
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split('\n')
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
          .join('\n')
      if (field('data') !== '') yield { id: field('id'), data: field('data') }
    }
  }
}
