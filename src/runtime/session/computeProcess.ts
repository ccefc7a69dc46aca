// A session in a process of its own: ONNX Runtime blocks the thread it runs on, cannot be interrupted and may take its process with
// it. Here none of that reaches the caller: a run can be cut short at any moment, and a crash is one failed run.

import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { pathToFileURL } from 'node:url'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, RunOptions, Session } from '../../core/session.ts'
import { isSource, ownModule } from '../../data/packageFiles.ts'
import { aborted, SerialQueue, untilAborted } from '../jobs/serialQueue.ts'
import { type Frame, receiveFrames, sendFrame } from './frames.ts'
import type { Opened, Reply, Request, Setup } from './protocol.ts'
import { isOutOfMemory } from './runtimeErrors.ts'

/** How long an interrupted run may take to end by itself, which spares opening the network again. */
const graceMs = 300

/** The loader that runs the sources as they are; the build needs none. */
function loaderArguments(): string[] {
  if (!isSource) return []
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
}

/** A running process and the answer that is awaited from it, if any. */
class ComputeProcess {
  readonly #child: ChildProcess
  readonly #socket: Socket
  #pending: { resolve(frame: Frame<Reply>): void; reject(error: Error): void } | undefined
  #stderr = ''
  #isKilled = false
  isAlive = true

  constructor() {
    const program = ownModule(isSource ? 'worker/main' : 'bundle/worker/main')
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
    receiveFrames<Reply>(this.#socket, (frame) => this.#settle()?.resolve(frame))
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

  /** Sends a request and awaits its answer; only one at a time. */
  ask(request: Request, tensors?: NamedData): Promise<Frame<Reply>> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#holdParent(true)
      sendFrame(this.#socket, request, tensors)
    })
  }

  kill(): void {
    this.#isKilled = true
    this.isAlive = false
    this.#child.kill('SIGKILL')
  }

  #settle() {
    const pending = this.#pending
    this.#pending = undefined
    this.#holdParent(false)
    return pending
  }

  #end(reason: string): void {
    this.isAlive = false
    this.#settle()?.reject(this.#isKilled ? aborted() : this.#failure(reason))
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

let spare: ComputeProcess | undefined

/** Starts a process ahead of its need, which the next session to be opened takes: it gets ready while others do. */
export function startAhead(): void {
  spare ??= new ComputeProcess()
}

/** A network in a process of its own. It is started again, and the network opened again, after a crash or an abort. */
export class ProcessSession implements Session {
  readonly #setup: Setup
  #compute: ComputeProcess | undefined
  readonly #turns = new SerialQueue()
  #isClosed = false
  /** What the weights turned out to be. */
  readonly opened: Opened

  private constructor(setup: Setup, compute: ComputeProcess, opened: Opened) {
    this.#setup = setup
    this.#compute = compute
    this.opened = opened
  }

  /** Starts a process that opens the network; its errors are those of the weights and of the device. */
  static async open(setup: Setup, { signal }: RunOptions = {}): Promise<ProcessSession> {
    const { compute, opened } = await start(setup, signal)
    return new ProcessSession(setup, compute, opened)
  }

  /** The process, where one is running. */
  get pid(): number | undefined {
    return this.#compute?.isAlive ? this.#compute.pid : undefined
  }

  /** A part of the network as a session; it ends with this one. */
  part(name: string): Pick<Session, 'run'> {
    return { run: (inputs, options) => this.#inTurn({ type: 'run', part: name }, inputs, options) }
  }

  run(inputs: NamedData, options?: RunOptions): Promise<NamedData> {
    return this.#inTurn({ type: 'run' }, inputs, options)
  }

  #inTurn(request: Request, inputs: NamedData, { signal }: RunOptions = {}): Promise<NamedData> {
    return this.#turns.run(() => this.#run(request, inputs, signal), signal)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#compute?.kill()
    await this.#turns.run(async () => {})
  }

  async #run(request: Request, inputs: NamedData, signal: AbortSignal | undefined): Promise<NamedData> {
    if (this.#isClosed) throw new RestoreError('usage', 'restore: expected an open session, got a closed one')
    if (!this.#compute?.isAlive) this.#compute = (await start(this.#setup, signal)).compute
    if (this.#isClosed) {
      this.#compute.kill()
      throw aborted()
    }
    const { message, tensors } = await ask(this.#compute, request, { signal, tensors: inputs })
    if (message.type === 'result') return tensors
    throw unexpected(message)
  }
}

/** Starts a process and opens the network in it. */
async function start(
  setup: Setup,
  signal: AbortSignal | undefined,
): Promise<{ readonly compute: ComputeProcess; readonly opened: Opened }> {
  const compute = spare?.isAlive ? spare : new ComputeProcess()
  spare = undefined
  try {
    const { message } = await untilAborted(ask(compute, { type: 'open', setup }, { signal }), signal)
    if (message.type === 'opened') return { compute, opened: message.opened }
    throw unexpected(message)
  } catch (error) {
    compute.kill()
    throw error
  }
}

interface AskOptions extends RunOptions {
  readonly tensors?: NamedData
}

/** Asks and awaits the answer; after an abort the process has a moment to give it, then it is killed. */
async function ask(
  compute: ComputeProcess,
  request: Request,
  { signal, tensors }: AskOptions,
): Promise<Frame<Reply>> {
  let timer: NodeJS.Timeout | undefined
  const onAbort = () => {
    timer = setTimeout(() => compute.kill(), graceMs)
  }
  signal?.addEventListener('abort', onAbort)
  try {
    return await compute.ask(request, tensors)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

function unexpected(reply: Reply): Error {
  if (reply.type === 'error') return new RestoreError(reply.code, reply.message)
  return new TypeError(`expected another answer of the computing process, got ${reply.type}`)
}
