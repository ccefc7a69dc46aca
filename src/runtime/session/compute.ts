// A session in a process of its own: ONNX Runtime blocks the thread it runs on, cannot be interrupted and may take its process with
// it. Here none of that reaches the caller: a run can be cut short at any moment, and a crash is one failed run.

import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { extname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, RunOptions, Session } from '../../core/session.ts'
import { aborted, Turns, untilAborted } from '../turns.ts'
import { type Frame, receiveFrames, sendFrame } from './channel.ts'
import { isOutOfMemory } from './failure.ts'
import type { Opened, Reply, Request, Setup } from './protocol.ts'

/** How long an interrupted run may take to end by itself, which spares opening the network again. */
const graceMs = 300

const extension = extname(import.meta.url)
const program = fileURLToPath(new URL(`../../worker/main${extension}`, import.meta.url))

/** The loader that runs the sources as they are; the build needs none. */
function loaderArguments(): string[] {
  if (extension !== '.ts') return []
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
}

/** What a request meets whose process ended before it was its turn, or was ended for another's sake: it may be asked again. */
class Unanswered extends Error {}

interface AskOptions extends RunOptions {
  readonly tensors?: NamedData
}

/** A running process and the answers that are awaited from it, in the order of their requests. */
class Compute {
  readonly #child: ChildProcess
  readonly #socket: Socket
  readonly #pending: { resolve(frame: Frame<Reply>): void; reject(error: Error): void }[] = []
  #stderr = ''
  #isKilled = false
  isAlive = true

  constructor() {
    // Transparent huge pages: a network at full resolution is 7 % faster, as it walks through maps of many megabytes.
    const env = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1', ...process.env }
    this.#child = spawn(process.execPath, [...loaderArguments(), program], {
      env,
      stdio: ['overlapped', 'ignore', 'overlapped', 'overlapped'],
      windowsHide: true,
    })
    const socket = this.#child.stdio[3]
    if (!(socket instanceof Socket)) throw new TypeError('expected a socket to the computing process')
    this.#socket = socket
    receiveFrames<Reply>(this.#socket, (frame) => this.#shift()?.resolve(frame))
    // The end of the process tells more than what its end does to its streams.
    for (const stream of this.#child.stdio) stream?.on('error', () => {})
    this.#child.stderr?.on('data', (text) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-2000)
    })
    this.#child.on('error', (error) => this.#end(`could not be started: ${error.message}`))
    this.#child.on('close', (status, signal) => this.#end(signal ?? `status ${status}`))
    this.#holdParent(false)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Sends a request, while the process is at others too, and awaits its answer; an abort ends the process where it is at this one. */
  ask(request: Request, { tensors, signal }: AskOptions = {}): Promise<Frame<Reply>> {
    let onAbort = () => {}
    const reply = new Promise<Frame<Reply>>((resolve, reject) => {
      const asked = { resolve, reject }
      this.#pending.push(asked)
      onAbort = () => {
        setTimeout(() => {
          if (this.#pending[0] === asked) this.kill()
        }, graceMs).unref()
      }
      signal?.addEventListener('abort', onAbort)
      this.#holdParent(true)
      sendFrame(this.#socket, request, tensors)
    })
    return reply.finally(() => signal?.removeEventListener('abort', onAbort))
  }

  kill(): void {
    this.#isKilled = true
    this.isAlive = false
    this.#child.kill('SIGKILL')
  }

  #shift() {
    const first = this.#pending.shift()
    if (this.#pending.length === 0) this.#holdParent(false)
    return first
  }

  #end(reason: string): void {
    this.isAlive = false
    if (!this.#isKilled) this.#shift()?.reject(this.#failure(reason))
    for (let next = this.#shift(); next; next = this.#shift()) next.reject(new Unanswered())
  }

  #failure(reason: string): RestoreError {
    const said = this.#stderr.trim().split('\n').at(-1)?.trim() ?? ''
    // Linux kills a process that takes the last memory; it says nothing to it.
    if (reason === 'SIGKILL' || isOutOfMemory(this.#stderr)) {
      const advice = 'use smaller tiles, or a machine with more memory'
      return new RestoreError(
        'memory',
        `compute: the process was ended for want of memory (${reason}); ${advice}`,
      )
    }
    const words = said === '' ? '' : `, its last words: ${said}`
    return new RestoreError('crash', `compute: the process ended unexpectedly (${reason})${words}; try again`)
  }

  /** Only while an answer is awaited does the process keep the one that started it alive. */
  #holdParent(isHeld: boolean): void {
    for (const handle of [this.#child, ...this.#child.stdio]) {
      if (handle instanceof Socket || handle === this.#child) isHeld ? handle.ref() : handle.unref()
    }
  }
}

let spare: Compute | undefined

/** Starts a process ahead of its need, which the next session to be opened takes: it gets ready while others do. */
export function startAhead(): void {
  spare ??= new Compute()
}

/** A network in a process of its own. It is started again, and the network opened again, after a crash or an abort. */
export class ComputeSession implements Session {
  readonly #setup: Setup
  #compute: Compute | undefined
  readonly #turns = new Turns()
  #isClosed = false
  /** What the weights turned out to be. */
  readonly opened: Opened

  private constructor(setup: Setup, compute: Compute, opened: Opened) {
    this.#setup = setup
    this.#compute = compute
    this.opened = opened
  }

  /** Starts a process that opens the network; its errors are those of the weights and of the device. */
  static async open(setup: Setup, { signal }: RunOptions = {}): Promise<ComputeSession> {
    const { compute, opened } = await start(setup, signal)
    return new ComputeSession(setup, compute, opened)
  }

  /** The process, where one is running. */
  get pid(): number | undefined {
    return this.#compute?.isAlive ? this.#compute.pid : undefined
  }

  /** A part of the network as a session; it ends with this one. */
  part(name: string): Pick<Session, 'run'> {
    return { run: (inputs, options) => this.#run({ type: 'run', part: name }, inputs, options) }
  }

  /** Runs that are asked for at once follow each other without a pause. */
  run(inputs: NamedData, options?: RunOptions): Promise<NamedData> {
    return this.#run({ type: 'run' }, inputs, options)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#compute?.kill()
    await this.#turns.run(async () => {})
  }

  async #run(request: Request, inputs: NamedData, { signal }: RunOptions = {}): Promise<NamedData> {
    for (;;) {
      const { reply } = await this.#turns.run(() => this.#send(request, inputs, signal), signal)
      try {
        const { message, tensors } = await untilAborted(reply, signal)
        if (message.type === 'result') return tensors
        throw unexpected(message)
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error
        if (this.#isClosed) throw aborted()
      }
    }
  }

  /** Starts the process again where it ended; gives the reply within an object, as it is not awaited here. */
  async #send(
    request: Request,
    inputs: NamedData,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly reply: Promise<Frame<Reply>> }> {
    if (this.#isClosed) throw new RestoreError('usage', 'restore: expected an open session, got a closed one')
    if (!this.#compute?.isAlive) this.#compute = (await start(this.#setup, signal)).compute
    const reply = this.#compute.ask(request, { signal, tensors: inputs })
    // Its error is told where it is awaited.
    reply.catch(() => {})
    return { reply }
  }
}

/** Starts a process and opens the network in it. */
async function start(
  setup: Setup,
  signal: AbortSignal | undefined,
): Promise<{ readonly compute: Compute; readonly opened: Opened }> {
  const compute = spare?.isAlive ? spare : new Compute()
  spare = undefined
  try {
    const { message } = await untilAborted(compute.ask({ type: 'open', setup }, { signal }), signal)
    if (message.type === 'opened') return { compute, opened: message.opened }
    throw unexpected(message)
  } catch (error) {
    compute.kill()
    throw error
  }
}

function unexpected(reply: Reply): Error {
  if (reply.type === 'error') return new RestoreError(reply.code, reply.message)
  return new TypeError(`expected another answer of the computing process, got ${reply.type}`)
}
