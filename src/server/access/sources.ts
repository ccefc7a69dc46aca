// Pictures by address, over redirections, from listed hosts only.

import type { Readable } from 'node:stream'
import { messageOf } from '../../core/errors.ts'
import { ProblemError } from '../protocol/problems.ts'
import { ForbiddenHost, ListedHosts, type ListedHostsOptions } from './listedHosts.ts'

const mostRedirects = 5

/** Opens addresses. */
export class Sources {
  readonly #hosts: ListedHosts

  constructor(options: ListedHostsOptions) {
    this.#hosts = new ListedHosts(options)
  }

  /** Opens a picture. @throws ProblemError 'forbidden' for an address that is not allowed, 'unreachable' for what fails */
  async open(text: string): Promise<Readable> {
    let address = this.#hosts.check(text, 'url')
    try {
      for (let redirects = 0; redirects <= mostRedirects; redirects++) {
        const { statusCode, headers, body } = await this.#hosts.request(address)
        if (statusCode === 200) return body
        body.on('error', () => {}).destroy()
        const { location } = headers
        if (statusCode < 300 || statusCode > 399 || typeof location !== 'string')
          throw new ProblemError(
            'unreachable',
            `${text}: expected a picture, got an answer of status ${statusCode}`,
          )
        address = this.#hosts.check(new URL(location, address).href, 'url')
      }
    } catch (error) {
      if (error instanceof ProblemError) throw error
      const forbidden = causeOf(error)
      if (forbidden) throw forbidden
      throw new ProblemError('unreachable', `${text}: cannot be fetched (${messageOf(error)})`)
    }
    throw new ProblemError('unreachable', `${text}: expected at most ${mostRedirects} redirections, got more`)
  }

  async close(): Promise<void> {
    await this.#hosts.close()
  }
}

function causeOf(error: unknown): ProblemError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof ForbiddenHost)
      return new ProblemError(
        'forbidden',
        `url: expected a public address, got one of a private network for ${cause.host}`,
      )
  return undefined
}
