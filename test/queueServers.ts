// Real servers of queues for tests, from Debian's redis-server and postgresql; undefined where they are not installed.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface QueueServer {
  readonly address: string
  /** Makes an empty database. @returns its address */
  fresh(): Promise<string>
  /** Starts it again, with what it had stored. */
  start(): Promise<void>
  /** Ends the process only. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Lets the process neither answer nor end, as a cut network does; `start` lets it go on. */
  freeze(): void
  /** Ends the process and forgets everything. */
  remove(): Promise<void>
}

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

/** Starts Redis on a free port, as the server wants it unless other settings are given. */
export async function startRedis(settings: readonly string[] = []): Promise<QueueServer> {
  const port = await freePort()
  const folder = newFolder('redis')
  const usual = ['--maxmemory-policy', 'noeviction', '--appendonly', 'yes', '--appendfsync', 'always']
  const databases = ['--databases', '100', '--save', '']
  const args = ['--port', String(port), '--dir', folder, ...databases, ...usual, ...settings]
  let database = 0
  return launch({
    ...{ port, folder },
    address: `redis://127.0.0.1:${port}`,
    fresh: () => `redis://127.0.0.1:${port}/${++database}`,
    run: () => spawn('redis-server', args, { stdio: 'ignore' }),
  })
}

const postgresFolder = [15, 16, 17, 18]
  .map((version) => `/usr/lib/postgresql/${version}/bin`)
  .find((folder) => existsSync(folder))

/** PostgreSQL refuses to run as root, so that its package's user has to be there. */
const postgresUser = spawnSync('id', ['-u', 'postgres'], { encoding: 'utf8' }).stdout.trim()

export const hasPostgres = postgresFolder !== undefined && postgresUser !== '' && process.getuid?.() === 0

/** Starts PostgreSQL on a free port with an empty database. */
export async function startPostgres(): Promise<QueueServer> {
  const port = await freePort()
  const folder = newFolder('postgres')
  const uid = Number(postgresUser)
  execFileSync('chown', ['postgres', folder])
  const data = join(folder, 'data')
  const initialize = ['-D', data, '-A', 'trust', '-U', 'limpid', '--no-sync']
  execFileSync(join(postgresFolder!, 'initdb'), initialize, { uid, stdio: 'ignore' })
  const args = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1']
  const server = `postgres://limpid@127.0.0.1:${port}`
  let database = 0
  return launch({
    ...{ port, folder },
    address: `${server}/postgres`,
    fresh() {
      execFileSync(join(postgresFolder!, 'createdb'), [
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '-U',
        'limpid',
        `d${++database}`,
      ])
      return `${server}/d${database}`
    },
    run: () => spawn(join(postgresFolder!, 'postgres'), args, { uid, stdio: 'ignore' }),
  })
}

interface Launch {
  readonly port: number
  readonly folder: string
  readonly address: string
  readonly fresh: () => string
  readonly run: () => ChildProcess
}

async function launch({ port, folder, address, fresh, run }: Launch): Promise<QueueServer> {
  let child: ChildProcess | undefined
  const server: QueueServer = {
    address,
    fresh: async () => fresh(),
    async start() {
      if (child?.exitCode === null && child.signalCode === null && child.kill('SIGCONT')) return
      child = run()
      while (!(await answers(port))) if (child.exitCode !== null) throw new Error(`${address}: ended at once`)
    },
    async stop(signal = 'SIGTERM') {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
    },
    freeze() {
      child?.kill('SIGSTOP')
    },
    async remove() {
      await server.stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}

function newFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `limpid-${name}-`))
  // Others than root use it, too.
  chmodSync(folder, 0o755)
  return folder
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

async function answers(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1')
  return new Promise((resolve) => {
    const end = (isThere: boolean) => () => {
      socket.destroy()
      setTimeout(resolve, isThere ? 0 : 50, isThere)
    }
    socket.once('connect', end(true)).once('error', end(false))
  })
}
