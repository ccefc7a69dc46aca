// A `limpid serve` in a process of its own, with its metrics.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from '../../test/limpid.ts'

export class ServedProgram implements AsyncDisposable {
  readonly address: string
  readonly #metrics: string
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(parts: { address: string; metrics: string; child: ChildProcess; folder: string }) {
    this.address = parts.address
    this.#metrics = parts.metrics
    this.#child = parts.child
    this.#folder = parts.folder
  }

  /** Starts a server on free ports, with further options of the command line. */
  static async start(...options: readonly string[]): Promise<ServedProgram> {
    const folder = mkdtempSync(join(tmpdir(), 'limpid-soak-'))
    const own = ['serve', '--port', '0', '--metrics-port', '0', '--data', folder, '--json', '--quiet']
    const child = spawn(process.execPath, [program, ...own, ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let printed = ''
    for await (const text of child.stdout) {
      printed += text
      if (printed.trimEnd().endsWith('}')) break
    }
    return new ServedProgram({ ...JSON.parse(printed), child, folder })
  }

  /** Value of a metric; those of delays start anew with every call. */
  async metrics(...names: readonly string[]): Promise<readonly number[]> {
    const text = await (await fetch(this.#metrics)).text()
    return names.map((name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN))
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isAlive) {
      this.#child.kill('SIGTERM')
      await once(this.#child, 'exit')
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
