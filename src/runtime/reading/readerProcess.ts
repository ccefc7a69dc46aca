// Reads pictures in processes of their own: decoders take files from strangers, cannot be interrupted, and some files are
// made to take long. A process is killed on an abort or when its time is up, and its crash fails one picture.

import { resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData } from '../../core/session.ts'
import type { DecodedPixels, DecodeOptions, ImageSize } from '../../data/decode.ts'
import { aborted, untilAborted } from '../jobs/serialQueue.ts'
import { type Program, WorkerProcess } from '../session/workerProcess.ts'
import { fromFrame, type ReadReply, type ReadRequest } from './readProtocol.ts'

const program: Program = {
  name: 'reading',
  module: 'worker/reader',
  memoryAdvice: 'use a machine with more memory, or a smaller picture',
}

/** Time to read a header, and at least that to read a picture. */
const baseMs = 60_000

/** Time to decode a million pixels on a slow machine. */
const megapixelMs = 1000

/** Time that a process is kept for the next picture. */
const idleMs = 5000

type Reader = WorkerProcess<ReadReply>

/** Processes that wait for a picture, with the timers that end them. */
const idle: { readonly reader: Reader; readonly timer: NodeJS.Timeout }[] = []

/** Starts a process for the next picture, so that it loads in parallel with other work. */
export function prestartReader(): void {
  try {
    keep(new WorkerProcess(program))
  } catch {
    // The picture that needs a process reports the reason.
  }
}

type NamedOptions = DecodeOptions & { readonly name: string }

/**
 * Decodes a file in another process.
 * @param input a path, or the bytes of a file
 * @throws RestoreError 'input', 'memory', 'crash', 'environment', 'aborted'
 */
export function decodeElsewhere(
  input: string | Uint8Array,
  options: NamedOptions,
  signal?: AbortSignal | undefined,
): Promise<DecodedPixels> {
  return withReader(input, options, signal, async (ask, { width, height }) => {
    const limitMs = baseMs + ((width * height) / 1e6) * megapixelMs
    const { message, tensors } = await ask({ type: 'pixels' }, limitMs)
    if (message.type !== 'pixels') throw failureOf(message)
    return fromFrame(message.facts, tensors)
  })
}

/** Reads size and format of a file from its header in another process. @throws RestoreError as decoding does */
export function sizeElsewhere(
  input: string | Uint8Array,
  options: NamedOptions,
  signal?: AbortSignal | undefined,
): Promise<ImageSize> {
  return withReader(input, options, signal, async (_, size) => size)
}

type Ask = (request: ReadRequest, limitMs: number, file?: NamedData) => ReturnType<Reader['send']>

async function withReader<T>(
  input: string | Uint8Array,
  options: NamedOptions,
  signal: AbortSignal | undefined,
  action: (ask: Ask, size: ImageSize) => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw aborted()
  const reader = take()
  const { name } = options
  const path = typeof input === 'string' ? resolve(input) : undefined
  const ask: Ask = (request, limitMs, file = {}) =>
    untilAborted(within(reader.send(request, file), limitMs, name), signal)
  try {
    const file = typeof input === 'string' ? {} : bytesOf(input)
    const { message } = await ask({ type: 'size', path, options }, baseMs, file)
    if (message.type !== 'size') throw failureOf(message)
    const result = await action(ask, message.size)
    keep(reader)
    return result
  } catch (error) {
    if (error instanceof ReportedError) {
      keep(reader)
      throw error.reported
    }
    reader.kill()
    throw error instanceof RestoreError && error.code !== 'aborted' && error.code !== 'input'
      ? new RestoreError(error.code, `${name}: ${error.message}`, { cause: error })
      : error
  }
}

/** An error that the process has reported; the process itself is sound. */
class ReportedError extends Error {
  readonly reported: RestoreError

  constructor(reported: RestoreError) {
    super(reported.message)
    this.reported = reported
  }
}

function failureOf(reply: ReadReply): Error {
  if (reply.type === 'error') return new ReportedError(new RestoreError(reply.code, reply.message))
  return new TypeError(`expected another reply from the process that reads, got ${reply.type}`)
}

function bytesOf(bytes: Uint8Array): NamedData {
  return { file: { dtype: 'uint8', shape: [bytes.length], bytes } }
}

async function within<T>(reply: Promise<T>, limitMs: number, name: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const seconds = Math.round(limitMs / 1000)
      const advice = 'save it again with another program if you trust it'
      reject(
        new RestoreError(
          'input',
          `${name}: expected a picture that is read within ${seconds} s, got one that takes longer; ${advice}`,
        ),
      )
    }, limitMs)
  })
  try {
    return await Promise.race([reply, late])
  } finally {
    clearTimeout(timer)
  }
}

function take(): Reader {
  for (let waiting = idle.pop(); waiting; waiting = idle.pop()) {
    clearTimeout(waiting.timer)
    if (waiting.reader.isAlive) return waiting.reader
  }
  return new WorkerProcess<ReadReply>(program)
}

function keep(reader: Reader): void {
  const timer = setTimeout(() => {
    idle.splice(
      idle.findIndex((one) => one.reader === reader),
      1,
    )
    reader.kill()
  }, idleMs)
  timer.unref()
  idle.push({ reader, timer })
}
