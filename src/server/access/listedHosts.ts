// Requests to listed hosts only, checked again on the address that is connected to.

import { type LookupAddress, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, type Dispatcher, request } from 'undici'
import { ProblemError } from '../protocol/problems.ts'
import { isPublicAddress } from './publicAddress.ts'

export interface ListedHostsOptions {
  /** Hosts that may be connected to; '*.example.org' stands for all below it. */
  readonly hosts: readonly string[]
  /** Whether the hosts may be in a private network. */
  readonly areInternal: boolean
}

/** What is sent to a host. */
interface HostRequest {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

/** Longest time for the headers, and between parts of the body. */
const silenceMs = 10_000

/** Checks addresses, and connects to those of listed hosts. */
export class ListedHosts {
  readonly #options: ListedHostsOptions
  readonly #agent: Agent

  constructor(options: ListedHostsOptions) {
    this.#options = options
    this.#agent = new Agent({
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
      connect: { timeout: silenceMs, lookup: options.areInternal ? undefined : publicLookup },
    })
  }

  /** Parses an address of a setting. @throws ProblemError 'forbidden' for a host that is not listed */
  check(text: string, setting: 'url' | 'webhook'): URL {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password)
      throw new ProblemError(
        'forbidden',
        `${setting}: expected an http or https address without a password, got another`,
      )
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const { hosts, areInternal } = this.#options
    const isListed = hosts.some((one) => (one.startsWith('*.') ? host.endsWith(one.slice(1)) : host === one))
    // A literal address is connected to without being looked up.
    if (!isListed || (isIP(host) !== 0 && !areInternal && !isPublicAddress(host)))
      throw new ProblemError(
        'forbidden',
        `${setting}: expected one of the hosts that this server lists for it, got ${host}`,
      )
    return url
  }

  /** Sends a request to a checked address; redirections are answers. */
  request(address: URL, options: HostRequest = {}): Promise<Dispatcher.ResponseData> {
    return request(address, { ...options, dispatcher: this.#agent })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

/** Resolves a name to its public addresses alone. */
const publicLookup: LookupFunction = (host, options, done) => {
  lookup(host, { ...options, all: true }, (error, found) => {
    const addresses: readonly LookupAddress[] = (found ?? []).filter(({ address }) =>
      isPublicAddress(address),
    )
    const [first] = addresses
    if (error) done(error, '', 0)
    else if (!first) done(new ForbiddenHost(host), '', 0)
    else if (options.all) done(null, [...addresses])
    else done(null, first.address, first.family)
  })
}

/** A listed name that leads to a private network. */
export class ForbiddenHost extends Error {
  readonly host: string

  constructor(host: string) {
    super(`${host}: not public`)
    this.host = host
  }
}
