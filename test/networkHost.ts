// A host of its own as a network namespace of Linux, with a cable to this machine that can be cut; needs root and ip.

import { spawnSync } from 'node:child_process'

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`)
}

/** Whether this machine lets namespaces be made. */
export const hasNamespaces = canMake()

function canMake(): boolean {
  const name = `limpid-${process.pid}-try`
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return false
  const isCable = spawnSync('ip', ['link', 'add', 'limpid-try', 'type', 'veth', 'peer', 'limpid-tried'])
  spawnSync('ip', ['link', 'del', 'limpid-try'])
  spawnSync('ip', ['netns', 'del', name])
  return isCable.status === 0
}

export class NetworkHost {
  readonly #name = `limpid-${process.pid}`
  readonly #cable = `limpid${process.pid % 1e6}`
  /** Address of this machine as the host sees it. */
  readonly address = '10.213.57.1'

  constructor() {
    ip('netns', 'add', this.#name)
    ip('link', 'add', this.#cable, 'type', 'veth', 'peer', 'eth0', 'netns', this.#name)
    ip('addr', 'add', `${this.address}/30`, 'dev', this.#cable)
    ip('link', 'set', this.#cable, 'up')
    ip('-n', this.#name, 'addr', 'add', '10.213.57.2/30', 'dev', 'eth0')
    for (const device of ['eth0', 'lo']) ip('-n', this.#name, 'link', 'set', device, 'up')
  }

  /** What runs a command on the host. */
  get prefix(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name]
  }

  cut(): void {
    ip('link', 'set', this.#cable, 'down')
  }

  mend(): void {
    ip('link', 'set', this.#cable, 'up')
  }

  remove(): void {
    ip('link', 'del', this.#cable)
    ip('netns', 'del', this.#name)
  }
}
