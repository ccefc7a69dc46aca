// A process of Limpid's own that answers requests, one at a time: it can be killed at any moment, and its crash fails only
// what it works on.

import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { isOutOfMemory, RestoreError } from '../../core/errors.ts'
import type { NamedData } from '../../core/session.ts'
import { processArguments } from '../../data/ownPrograms.ts'
import { aborted } from '../jobs/serialQueue.ts'
import { type Frame, receiveFrames, sendFrame } from './frames.ts'

/** How often a process that works is woken, in case it has been stopped. */
const wakeMs = 2000

/** What a process is for. */
export interface Program {
  /** Name in errors. */
  readonly name: string
  /** Module that it runs. */
  readonly module: 'worker/main' | 'worker/reader'
  /** What to do where it runs out of memory. */
  readonly memoryAdvice: string
}

/** A running process and its pending reply, if any. */
export class WorkerProcess<Reply> {
  readonly #program: Program
  readonly #child: ChildProcess
  readonly #socket: Socket
  #pending: { resolve(frame: Frame<Reply>): void; reject(error: Error): void } | undefined
  #waking: NodeJS.Timeout | undefined
  #stderr = ''
  #isKilled = false
  isAlive = true

  /** @throws RestoreError 'environment' if the system starts no more processes */
  constructor(program: Program) {
    this.#program = program
    // Transparent huge pages make networks at full resolution, with maps of many megabytes, 7 % faster.
    const env = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1', ...process.env }
    this.#child = spawn(process.execPath, processArguments(program.module), {
      env,
      stdio: ['overlapped', 'ignore', 'overlapped', 'overlapped'],
      windowsHide: true,
    })
    // A process that was not started for want of file descriptors has no streams.
    const { stdio }: Partial<ChildProcess> = this.#child
    const socket = stdio?.[3]
    if (!(socket instanceof Socket)) {
      // Tells the same later.
      this.#child.on('error', () => {})
      throw new RestoreError(
        'environment',
        `${program.name}: expected another process, got none from the system; close files or programs, or raise the limits on them (ulimit -n, ulimit -u)`,
      )
    }
    this.#child.on('error', (error) => this.#end(`could not be started: ${error.message}`))
    this.#socket = socket
    receiveFrames<Reply>(this.#socket, (frame) => this.#settle()?.resolve(frame))
    // Stream errors only follow the end of the process, which is reported with its reason.
    for (const stream of this.#child.stdio) stream?.on('error', () => {})
    this.#child.stderr?.on('data', (text) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-2000)
    })
    this.#child.on('close', (status, signal) => this.#end(signal ?? `status ${status}`))
    this.#keepParentAlive(false)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Sends a request and awaits its reply; only one may be pending. */
  send(request: object, tensors?: NamedData): Promise<Frame<Reply>> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#keepParentAlive(true)
      // A stopped process would never reply; one that runs does not notice.
      this.#waking = setInterval(() => this.#child.kill('SIGCONT'), wakeMs)
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
    clearInterval(this.#waking)
    this.#keepParentAlive(false)
    return pending
  }

  #end(reason: string): void {
    this.isAlive = false
    this.#settle()?.reject(this.#isKilled ? aborted() : this.#failure(reason))
  }

  #failure(reason: string): RestoreError {
    const { name, memoryAdvice } = this.#program
    const lastLine = this.#stderr.trim().split('\n').at(-1)?.trim() ?? ''
    // Linux kills a process that exhausts the memory, without a message.
    if (reason === 'SIGKILL' || isOutOfMemory(this.#stderr)) {
      return new RestoreError('memory', `${name}: the process ran out of memory (${reason}); ${memoryAdvice}`)
    }
    const detail = lastLine === '' ? '' : `, last line of stderr: ${lastLine}`
    return new RestoreError(
      'crash',
      `${name}: the process ended unexpectedly (${reason})${detail}; try again`,
    )
  }

  /** Keeps the parent alive while a reply is pending, and only then. */
  #keepParentAlive(isKept: boolean): void {
    for (const handle of [this.#child, ...this.#child.stdio]) {
      if (handle instanceof Socket || handle === this.#child) isKept ? handle.ref() : handle.unref()
    }
  }
}
