// Tells the addresses that jobs name how they ended, by Standard Webhooks (standardwebhooks.com): signed, at least once,
// again with growing delays. What is due is in the queue, so that a restart loses none.

import { createHash, createHmac } from 'node:crypto'
import { messageOf } from '../../core/errors.ts'
import type { ListedHosts } from '../access/listedHosts.ts'
import type { Job, JobQueue } from './job.ts'
import type { Metrics } from './metrics.ts'

export interface WebhooksOptions {
  readonly queue: JobQueue
  readonly hosts: ListedHosts
  /** 'whsec_' and the key in Base64. */
  readonly secret: string
  /** The job as its owner sees it. */
  readonly view: (job: Job) => unknown
  readonly metrics: Pick<Metrics, 'webhook'>
  /** Receives why a message did not arrive. */
  readonly onFailure: (failure: WebhookFailure) => void
  readonly onError: (error: unknown) => void
}

/** A message that did not arrive, without the address, which may hold secrets. */
export interface WebhookFailure {
  readonly job: string
  readonly host: string
  readonly reason: string
}

/** Messages sent at once. */
const slots = 4

/** Longest time for an answer, well below the first delay, in which another process leaves the message alone. */
const answerMs = 10_000

/** Delays before further attempts; after the last one, the message is given up. */
const delaysMs = [15_000, 60_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000] as const

/** Time after which the queue is looked at again. */
const pollMs = 1000

/** Sends messages until it is stopped. */
export class Webhooks {
  readonly #options: WebhooksOptions
  readonly #stopping = new AbortController()
  readonly #slots: readonly Promise<void>[]

  constructor(options: WebhooksOptions) {
    this.#options = options
    this.#slots = Array.from({ length: slots }, () => this.#work())
  }

  /** Ends after the messages under way. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#slots)
    await this.#options.hosts.close()
  }

  async #work(): Promise<void> {
    const { queue, onError } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        const job = await queue.claimWebhook(delaysMs)
        if (!job) await queue.available(pollMs, signal)
        else await this.#tell(job)
      } catch (error) {
        onError(error)
        await queue.available(pollMs, signal).catch(() => {})
      }
    }
  }

  /** Sends a message; one that does not arrive is tried again. */
  async #tell(job: Job): Promise<void> {
    const { queue, metrics, onFailure } = this.#options
    const address = job.webhook ?? ''
    const failure = await this.#send(job, address)
    metrics.webhook(failure === undefined ? 'delivered' : 'failed')
    if (failure === undefined) await queue.settleWebhook(job)
    else onFailure({ job: job.id, host: new URL(address).host, reason: failure })
  }

  /** @returns why the message did not arrive; undefined if it did, or its address wants no more */
  async #send(job: Job, address: string): Promise<string | undefined> {
    const { hosts, secret, view } = this.#options
    const finishedMs = job.finishedMs ?? job.createdMs
    const message = JSON.stringify({
      type: `job.${job.state}`,
      timestamp: new Date(finishedMs).toISOString(),
      data: view(job),
    })
    try {
      const { statusCode, body } = await hosts.request(hosts.check(address, 'webhook'), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...signatureOf({ id: messageIdOf(job), seconds: Math.floor(Date.now() / 1000), message, secret }),
        },
        body: message,
        signal: AbortSignal.timeout(answerMs),
      })
      body.on('error', () => {}).destroy()
      const isSettled = (statusCode >= 200 && statusCode < 300) || statusCode === 410
      return isSettled ? undefined : `status ${statusCode}`
    } catch (error) {
      return messageOf(error)
    }
  }
}

/** The same for every attempt, and for no other job. */
function messageIdOf({ owner, id, createdMs }: Job): string {
  const hash = createHash('sha256').update(JSON.stringify([owner, id, createdMs]))
  return `msg_${hash.digest('hex').slice(0, 32)}`
}

interface Signing {
  readonly id: string
  readonly seconds: number
  readonly message: string
  readonly secret: string
}

function signatureOf({ id, seconds, message, secret }: Signing): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${message}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${signature}` }
}
