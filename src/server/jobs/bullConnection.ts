// How BullMQ reaches Redis or PostgreSQL, and what is checked there before a job is trusted to it.

import {
  type BackendFactory,
  createPostgresBackend,
  createRedisBackend,
  DEFAULT_SCHEMA,
  runMigrations,
} from 'bullmq'
import { messageOf, RestoreError } from '../../core/errors.ts'
import { load } from './optionalPackages.ts'

/** A connection to the machine that holds the queues. */
export interface BullConnection {
  /** Makes what BullMQ's queues and events talk through. */
  readonly backend: BackendFactory
  /** What the operator should change. */
  readonly warnings: readonly string[]
  readonly check: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Longest time for a connection. */
const connectMs = 10_000

/** Longest time for an answer: a network that is cut off ends no connection by itself. */
export const answerMs = 5000

/** Longest silence of a connection that waits for events, for which BullMQ asks anew every 10 s. */
const silenceMs = 30_000

/**
 * Connects to `redis://…`, `rediss://…` or `postgres://…`.
 *
 * @throws RestoreError 'usage' for another address, 'environment' where nothing answers, a package is missing, or Redis
 * may delete jobs
 */
export async function connectBull(address: string): Promise<BullConnection> {
  const { protocol } = new URL(address)
  if (protocol === 'redis:' || protocol === 'rediss:') return connectRedis(address)
  if (protocol === 'postgres:' || protocol === 'postgresql:') return connectPostgres(address)
  throw new RestoreError(
    'usage',
    `--queue: expected redis://…, rediss://… or postgres://…, got ${withoutPassword(address)}`,
  )
}

async function connectRedis(address: string): Promise<BullConnection> {
  const { Redis } = await load('--queue', 'bullmq ioredis', () => import('ioredis'))
  let isConnected = false
  let reason: unknown
  const client = new Redis(address, {
    lazyConnect: true,
    connectTimeout: connectMs,
    socketTimeout: answerMs,
    // While Redis is away, requests fail at once and are answered so.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    retryStrategy: (times) => (isConnected ? Math.min(times * 100, 2000) : null),
  })
  client.on('error', (error) => {
    reason = error
  })
  try {
    await client.connect()
  } catch (error) {
    throw unreachable(address, reason ?? error)
  }
  isConnected = true
  const memory = await client.info('memory')
  const [, policy] = /maxmemory_policy:(\S+)/.exec(memory) ?? []
  if (policy !== 'noeviction') {
    client.disconnect()
    throw new RestoreError(
      'environment',
      `--queue: expected a Redis with maxmemory-policy noeviction, got ${policy ?? 'none'}, which may delete jobs; set it in redis.conf`,
    )
  }
  // Copies of it wait for events, for as long as Redis is away.
  const waiting = new Redis(address, {
    lazyConnect: true,
    connectTimeout: connectMs,
    socketTimeout: silenceMs,
    maxRetriesPerRequest: null,
  })
  const hasAppendOnlyFile = /aof_enabled:1/.test(await client.info('persistence'))
  return {
    backend: (name, options, how) =>
      createRedisBackend(name, { ...options, connection: how?.blocking ? waiting : client }, how),
    warnings: hasAppendOnlyFile
      ? []
      : ['--queue: Redis writes no append-only file, so a crash of it loses jobs; set appendonly yes'],
    async check() {
      await client.ping()
    },
    async close() {
      client.disconnect()
    },
  }
}

async function connectPostgres(address: string): Promise<BullConnection> {
  const { Pool } = await load('--queue', 'bullmq pg', () => import('pg'))
  const pool = new Pool({
    connectionString: address,
    connectionTimeoutMillis: connectMs,
    query_timeout: answerMs,
    keepAlive: true,
    options: `-c search_path=${DEFAULT_SCHEMA}`,
  })
  // Idle connections that end are replaced.
  pool.on('error', () => {})
  try {
    const client = await pool.connect()
    await runMigrations(client).finally(() => client.release())
  } catch (error) {
    await pool.end()
    throw unreachable(address, error)
  }
  return {
    backend: (name, options, how) => createPostgresBackend(name, { ...options, connection: pool }, how),
    warnings: [],
    async check() {
      await pool.query('SELECT 1')
    },
    close: () => pool.end(),
  }
}

function unreachable(address: string, reason: unknown): RestoreError {
  return new RestoreError(
    'environment',
    `--queue: expected an answer of ${withoutPassword(address)}, got none (${messageOf(reason) || String(reason)})`,
    { cause: reason },
  )
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^@/]*@/, '//')
}
