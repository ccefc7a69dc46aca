// Commands of the built program as processes that are killed and started again, and pictures for them.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { program } from '../../test/limpid.ts'

/** A picture that no other number has. */
export async function numberedPicture(number: number, side: number): Promise<Buffer> {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => 90 + ((i * (number + 7)) % 71))
  data.set([number & 255, (number >> 8) & 255, number >> 16])
  return sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer()
}

/** A command that runs until it is ended, on chosen cores; undefined for all. */
export class RunningCommand {
  readonly #args: readonly string[]
  #child: ChildProcess
  /** What it printed once it was ready. */
  ready: Promise<string>

  constructor(args: readonly string[], core?: number) {
    const node = [process.execPath, program, ...args, '--quiet']
    this.#args = core === undefined ? node : ['taskset', '-c', String(core), ...node]
    ;[this.#child, this.ready] = this.#start()
  }

  #start(): [child: ChildProcess, ready: Promise<string>] {
    const [command = '', ...args] = this.#args
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    return [child, once(child.stdout, 'data').then(([text]) => String(text))]
  }

  /** Kills it and starts it until it runs again. */
  async restart(): Promise<void> {
    await this.end('SIGKILL')
    for (let isReady = false; !isReady; ) {
      ;[this.#child, this.ready] = this.#start()
      // It ends at once where the queue's server is starting, too.
      const ended = once(this.#child, 'exit').then(() => sleep(500))
      isReady = await Promise.race([this.ready.then(() => true), ended.then(() => false)])
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const ended = once(this.#child, 'exit')
    if (this.#child.kill(signal)) await ended
  }
}
