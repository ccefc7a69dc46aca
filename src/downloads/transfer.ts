// Receives a file over HTTP into a .part file: continued after interruptions and by the next run, within a size, and never waiting forever.
// As huggingface_hub does, what is kept of an earlier answer is continued only by a server that still has the same file (If-Range,
// Content-Range). undici rather than Node's own fetch: it follows the variables of proxies, and reports which error it was.

import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { messageOf, RestoreError } from '../core/errors.ts'
import { writeAtomicSync } from '../files/atomicWrite.ts'
import { codeOf, unwritable } from '../files/outputErrors.ts'
import { redirectedTo } from './addresses.ts'
import { decoded, encodingOf, isDecodingError, type Response, received, textOf } from './body.ts'

/** Limits on a server's patience with us, and ours with it. */
export interface TransferLimits {
  /** Longest time without a byte. */
  readonly stallMs: number
  /** First pause before trying again; each further one is twice as long. */
  readonly pauseMs: number
  /** Attempts in a row that may bring nothing. */
  readonly fruitlessAttempts: number
  /** Attempts in all. */
  readonly attempts: number
  /** Longest pause a server may ask for. */
  readonly retryAfterMs: number
  /** Largest file of unknown size. */
  readonly sizeBytes: number
}

export const defaultLimits: TransferLimits = {
  stallMs: 60_000,
  pauseMs: 1000,
  fruitlessAttempts: 5,
  attempts: 100,
  retryAfterMs: 120_000,
  sizeBytes: 16e9,
}

export interface TransferRequest {
  readonly address: URL
  /** File that receives the bytes; what it holds is continued. */
  readonly part: string
  /** Record of where the bytes of `part` are from. */
  readonly state: string
  /** Size of the file; undefined if only its server knows. */
  readonly sizeBytes: number | undefined
  /** Whether a hash will tell if the parts belong together. */
  readonly isHashed: boolean
  readonly signal?: AbortSignal | undefined
  readonly limits: TransferLimits
  /** Receives the bytes there are, and their number in the end where it is known. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined
  /** Receives why a transfer is tried again. */
  readonly onRetry?: ((reason: string) => void) | undefined
}

/** An attempt that ended early, and may be repeated. */
class Interruption extends Error {
  readonly waitMs: number
  constructor(message: string, waitMs = 0) {
    super(message)
    this.waitMs = waitMs
  }
}

/** Bytes that are no part of the file: they are not continued. */
export class WrongBytes extends RestoreError {}

/**
 * Receives a file into `part`.
 * @throws RestoreError 'input' for what a server does, 'output' for the disk, 'aborted' with `part` kept
 */
export async function transfer(request: TransferRequest): Promise<void> {
  const { address, part, limits, signal, onRetry } = request
  const { EnvHttpProxyAgent } = await import('undici')
  const agent = new EnvHttpProxyAgent()
  let most = sizeOf(part)
  let fruitless = 0
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await receive(request, agent)
      } catch (error) {
        if (signal?.aborted) throw canceled(request)
        if (!(error instanceof Interruption)) throw error
        const size = sizeOf(part)
        fruitless = size > most ? 0 : fruitless + 1
        most = Math.max(most, size)
        if (fruitless >= limits.fruitlessAttempts || attempt >= limits.attempts)
          throw new RestoreError(
            'input',
            `${address.href}: ${error.message}, after ${attempt} attempts; ${most > 0 ? 'what came is kept: try again later' : 'try again later'}, or pass another source with --from`,
          )
        onRetry?.(error.message)
        await sleep(Math.max(error.waitMs, limits.pauseMs * 2 ** (fruitless - 1)), undefined, {
          ...(signal && { signal }),
        })
      }
    }
  } catch (error) {
    throw signal?.aborted ? canceled(request) : error
  } finally {
    await agent.destroy()
  }
}

/** Size that the server states for a file, asked once; undefined where it does not. */
export async function statedSize(address: URL, signal?: AbortSignal): Promise<number | undefined> {
  const { EnvHttpProxyAgent } = await import('undici')
  const agent = new EnvHttpProxyAgent()
  const nothing = { part: '', state: '', sizeBytes: undefined, isHashed: false }
  const request = { ...nothing, address, signal, limits: { ...defaultLimits, stallMs: 10_000 } }
  try {
    return (await ask(request, agent, { start: 0, validator: undefined }))?.total
  } catch {
    // The transfer says what is wrong.
    return undefined
  } finally {
    await agent.destroy()
  }
}

function canceled({ address, part }: TransferRequest): RestoreError {
  const kept = sizeOf(part)
  const advice = kept > 0 ? `; ${kept} bytes are kept, and the same command continues` : ''
  return new RestoreError('aborted', `${address.href}: fetching was canceled${advice}`)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** Where the bytes of a part are from. */
interface State {
  readonly address: string
  /** ETag or date of the file on its server. */
  readonly validator?: string | undefined
}

function readState(file: string): State | undefined {
  try {
    const { address, validator }: Record<string, unknown> = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof address !== 'string') return undefined
    return { address, validator: typeof validator === 'string' ? validator : undefined }
  } catch {
    return undefined
  }
}

interface Answer {
  readonly response: Response
  /** Where the first byte belongs. */
  readonly start: number
  /** Size of the whole file, if the server tells. */
  readonly total: number | undefined
}

/** One attempt: asks for what is missing, and writes it. */
async function receive(request: TransferRequest, agent: Dispatcher): Promise<void> {
  const { part, sizeBytes, limits, address } = request
  const kept = sizeOf(part)
  if (sizeBytes !== undefined && kept === sizeBytes) return
  const before = kept > 0 && existsSync(part) ? readState(request.state) : undefined
  const isSame = before?.address === address.href
  const validator = isSame ? before?.validator : undefined
  const canContinue =
    kept > 0 &&
    (request.isHashed || validator !== undefined) &&
    kept < (sizeBytes ?? Number.POSITIVE_INFINITY)
  const answer = await ask(request, agent, { start: canContinue ? kept : 0, validator })
  if (answer === undefined) return
  const { response, start, total } = answer
  const size = sizeBytes ?? total
  try {
    if (sizeBytes !== undefined && total !== undefined && total !== sizeBytes)
      throw new WrongBytes(
        'input',
        `${address.href}: expected a file of ${sizeBytes} bytes, got one of ${total}; its authors may have replaced it, or it is an error page: pass another source with --from`,
      )
    if (size !== undefined) checkSpace(part, size - start)
    saveState(request, response)
    await write(request, answer, size ?? limits.sizeBytes)
  } finally {
    // A body that is not read to its end keeps its connection.
    response.body.destroy()
  }
  const done = sizeOf(part)
  if (size !== undefined && done < size)
    throw new Interruption(`the connection ended after ${done} of ${size} bytes`)
}

function saveState({ address, state }: TransferRequest, { headers }: Response): void {
  const etag = textOf(headers.etag)
  // Weak tags mark files that are only alike.
  const validator = etag !== undefined && !etag.startsWith('W/') ? etag : textOf(headers['last-modified'])
  const text = JSON.stringify({ address: address.href, validator } satisfies State)
  writeAtomicSync(state, [Buffer.from(text)], { overwrite: true })
}

/** @throws RestoreError 'output' where the disk has no room for the rest */
function checkSpace(part: string, neededBytes: number): void {
  const { bavail, bsize } = statfsSync(dirname(part))
  if (neededBytes > bavail * bsize)
    throw unwritable(part, Object.assign(new Error(`${neededBytes} bytes are needed`), { code: 'ENOSPC' }))
}

interface Range {
  readonly start: number
  readonly validator: string | undefined
}

const mostRedirects = 10

/** Sends the request, through redirects; undefined where the server has nothing beyond the bytes that are kept. */
async function ask(request: TransferRequest, agent: Dispatcher, range: Range): Promise<Answer | undefined> {
  let url = request.address
  const visited = new Set<string>()
  for (;;) {
    visited.add(url.href)
    const response = await send(url, request, agent, range)
    const { statusCode, headers } = response
    if (![301, 302, 303, 307, 308].includes(statusCode)) return await examine(response, request, range)
    response.body.destroy()
    url = redirectedTo(url, textOf(headers.location))
    if (visited.has(url.href))
      throw new RestoreError(
        'input',
        `${request.address.href}: redirects in a circle, back to ${url.href}; pass another source with --from`,
      )
    if (visited.size > mostRedirects)
      throw new RestoreError(
        'input',
        `${request.address.href}: redirects more than ${mostRedirects} times; pass another source with --from`,
      )
  }
}

async function send(
  url: URL,
  { limits, signal }: TransferRequest,
  agent: Dispatcher,
  { start, validator }: Range,
): Promise<Response> {
  const { request } = await import('undici')
  const range =
    start > 0
      ? { range: `bytes=${start}-`, ...(validator === undefined ? {} : { 'if-range': validator }) }
      : {}
  try {
    const response = await request(url, {
      dispatcher: agent,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'limpid', ...range },
      headersTimeout: limits.stallMs,
      bodyTimeout: limits.stallMs,
      signal: signal ?? null,
    })
    const { statusCode, headers, body } = response
    return { statusCode, headers, body, chunks: received(body) }
  } catch (error) {
    throw connectionError(error, url, limits)
  }
}

/** Codes of failures that may pass. */
const passing =
  /^(ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|ENETDOWN|ENETUNREACH|EHOSTUNREACH|HPE_\w+|UND_ERR_(SOCKET|CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|RES_CONTENT_LENGTH_MISMATCH))$/

function connectionError(error: unknown, url: URL, { stallMs }: TransferLimits): Error {
  const code = codeOf(error) ?? ''
  if (/_TIMEOUT$/.test(code)) return new Interruption(`no bytes came for ${stallMs / 1000} s`)
  if (passing.test(code)) return new Interruption(`the connection was lost (${messageOf(error)})`)
  const advice =
    code === 'ENOTFOUND'
      ? 'check the network, and HTTPS_PROXY where there is a proxy'
      : 'check the address and the network'
  return new RestoreError(
    'input',
    `${url.href}: cannot be fetched (${messageOf(error)}); ${advice}, or pass another source with --from`,
    { cause: error },
  )
}

/** Statuses of servers that may answer later. */
const laterStatuses = [408, 425, 429, 500, 502, 503, 504]

/** What an answer brings. */
async function examine(
  response: Response,
  request: TransferRequest,
  { start }: Range,
): Promise<Answer | undefined> {
  const { statusCode, headers, body } = response
  const { address, part } = request
  if (statusCode === 200) {
    const length = Number(headers['content-length'] ?? Number.NaN)
    const isEncoded = encodingOf(response) !== undefined
    return { response, start: 0, total: Number.isSafeInteger(length) && !isEncoded ? length : undefined }
  }
  if (statusCode === 206 && start > 0) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(textOf(headers['content-range']) ?? '') ?? []
    if (Number(first) === start && encodingOf(response) === undefined)
      return { response, start, total: total === '*' ? undefined : Number(total) }
  }
  body.destroy()
  if (statusCode === 206 || statusCode === 416) {
    // Whole already, by what the server has; else the part is of another file.
    const total = /^bytes \*\/(\d+)$/.exec(textOf(headers['content-range']) ?? '')?.[1]
    if (statusCode === 416 && request.sizeBytes === undefined && Number(total) === start) return undefined
    await truncate(part)
    throw new Interruption(`the server sent another part than the one asked for (HTTP status ${statusCode})`)
  }
  if (laterStatuses.includes(statusCode)) throw retryLater(response, request)
  throw new RestoreError(
    'input',
    `${address.href}: expected a file, got HTTP status ${statusCode}; check the address, or pass another source with --from`,
  )
}

function retryLater({ statusCode, headers }: Response, { address, limits }: TransferRequest): Error {
  const text = textOf(headers['retry-after']) ?? '0'
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : Math.max(0, Date.parse(text) - Date.now()) || 0
  if (waitMs <= limits.retryAfterMs)
    return new Interruption(`the server is busy (HTTP status ${statusCode})`, waitMs)
  return new RestoreError(
    'input',
    `${address.href}: the server is busy (HTTP status ${statusCode}) and asks to come back in ${Math.ceil(waitMs / 1000)} s; try again then, or pass another source with --from`,
  )
}

async function truncate(part: string): Promise<void> {
  const file = await open(part, 'w')
  await file.close()
}

/** Writes what comes at its place; an answer from the first byte replaces what was kept. */
async function write(
  request: TransferRequest,
  { response, start, total }: Answer,
  limitBytes: number,
): Promise<void> {
  const { part, sizeBytes, address, limits, onProgress } = request
  const chunks = decoded(response, address)
  const file = await opened(part, start)
  let at = start
  onProgress?.(at, sizeBytes ?? total)
  try {
    for await (const chunk of chunks) {
      if (at + chunk.length > limitBytes)
        throw new WrongBytes(
          'input',
          `${address.href}: expected at most ${limitBytes} bytes, got more; pass another source with --from`,
        )
      await put(file, chunk, at, part)
      at += chunk.length
      onProgress?.(at, sizeBytes ?? total)
    }
  } catch (error) {
    if (error instanceof RestoreError) throw error
    throw isDecodingError(error)
      ? new Interruption('the compressed answer ended early')
      : connectionError(error, address, limits)
  } finally {
    await file.close()
  }
}

async function opened(part: string, start: number): Promise<FileHandle> {
  try {
    return await open(part, start > 0 ? 'r+' : 'w')
  } catch (error) {
    throw unwritable(part, error)
  }
}

async function put(file: FileHandle, chunk: Uint8Array, at: number, part: string): Promise<void> {
  try {
    for (let done = 0; done < chunk.length; )
      done += (await file.write(chunk, done, chunk.length - done, at + done)).bytesWritten
  } catch (error) {
    throw unwritable(part, error)
  }
}
