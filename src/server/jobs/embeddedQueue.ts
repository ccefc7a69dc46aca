// A queue in a SQLite file, for one machine. Any number of processes and threads may share the file: an attempt holds a
// lease, which it renews, and whoever finds an expired one takes the job over.

import { EventEmitter } from 'node:events'
import { mkdirSync } from 'node:fs'
import { type FileHandle, open as openFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BroadcastChannel } from 'node:worker_threads'
import Database from 'libsql'
import {
  type Added,
  type Attempt,
  interrupted,
  isFinal,
  type Job,
  type JobError,
  type JobQueue,
  type JobState,
  jobStates,
  type NewJob,
  type QueueCounts,
  type QueueLimits,
  runnable,
  waitForEvent,
} from './job.ts'

/** Options of {@link EmbeddedQueue}. */
export interface EmbeddedQueueOptions {
  /** Time after which an attempt that was not renewed is taken over. @default 30 s */
  readonly leaseMs?: number
  /** Attempts after which a job has failed. @default 3 */
  readonly maxAttempts?: number
  /** Delay before the second attempt; it doubles for the third, less some at random. @default 1 s */
  readonly retryMs?: number
}

const schema = `
  CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    fence INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL,
    settings TEXT NOT NULL,
    model TEXT NOT NULL,
    input TEXT NOT NULL,
    address TEXT NOT NULL,
    requestKey TEXT,
    requestHash TEXT NOT NULL,
    webhook TEXT,
    webhookAttempts INTEGER NOT NULL DEFAULT 0,
    webhookDueMs INTEGER,
    createdMs INTEGER NOT NULL,
    startedMs INTEGER,
    finishedMs INTEGER,
    notBeforeMs INTEGER NOT NULL DEFAULT 0,
    leaseMs INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    errorCode TEXT,
    errorMessage TEXT,
    UNIQUE (owner, id),
    UNIQUE (owner, requestKey)
  );
  CREATE INDEX IF NOT EXISTS jobsByState ON jobs (state, owner);
  CREATE INDEX IF NOT EXISTS jobsByAddress ON jobs (address);
  CREATE TABLE IF NOT EXISTS turns (owner TEXT PRIMARY KEY, turn INTEGER NOT NULL);
`

/** A row of the table of jobs. */
interface Row {
  readonly seq: number
  readonly id: string
  readonly owner: string
  readonly state: JobState
  readonly version: number
  readonly fence: number
  readonly attempts: number
  readonly priority: number
  readonly settings: string
  readonly model: string
  readonly input: string
  readonly address: string
  readonly requestKey: string | null
  readonly requestHash: string
  readonly webhook: string | null
  readonly webhookAttempts: number
  readonly createdMs: number
  readonly startedMs: number | null
  readonly finishedMs: number | null
  readonly done: number
  readonly total: number
  readonly errorCode: JobError['code'] | null
  readonly errorMessage: string | null
}

const held = "owner = ? AND id = ? AND fence = ? AND state = 'running'"

/** Unfinished jobs. */
const open = "state IN ('queued', 'running')"

/** A job that waits to be added. */
interface Addition {
  readonly job: NewJob
  readonly state: 'queued' | 'succeeded'
  readonly limits: QueueLimits | undefined
  readonly resolve: (added: Added) => void
  readonly reject: (error: unknown) => void
}

/** Most jobs that are added at a time: a millisecond each. */
const mostAdditions = 16

/** A queue in a SQLite file. */
export class EmbeddedQueue implements JobQueue {
  readonly #database: Database.Database
  /** Prepared once: that takes longer than running them. */
  readonly #statements = new Map<string, Database.Statement>()
  readonly #leaseMs: number
  readonly #maxAttempts: number
  readonly #retryMs: number
  /** Emits 'queued' and the events of changed jobs, within this process; its threads tell one another. */
  readonly #events = new EventEmitter()
  readonly #threads: BroadcastChannel
  readonly #additions: Addition[] = []
  #adding: Promise<void> | undefined
  /** SQLite's write-ahead log, opened once more to be flushed; undefined where SQLite flushes each commit. */
  #log: FileHandle | undefined

  private constructor(folder: string, { leaseMs, maxAttempts, retryMs }: Required<EmbeddedQueueOptions>) {
    this.#database = new Database(join(folder, 'jobs.sqlite'))
    this.#leaseMs = leaseMs
    this.#maxAttempts = maxAttempts
    this.#retryMs = retryMs
    this.#events.setMaxListeners(0)
    this.#threads = new BroadcastChannel(`limpid queue ${resolve(folder)}`)
    this.#threads.onmessage = ({ data }) => this.#events.emit(data)
    this.#threads.unref()
  }

  /** Opens the queue of a folder, which is made if it is missing. @throws an error if the file cannot be opened */
  static async open(
    folder: string,
    { leaseMs = 30_000, maxAttempts = 3, retryMs = 1000 }: EmbeddedQueueOptions = {},
  ): Promise<EmbeddedQueue> {
    mkdirSync(folder, { recursive: true })
    const queue = new EmbeddedQueue(folder, { leaseMs, maxAttempts, retryMs })
    try {
      await queue.#prepare(folder)
      return queue
    } catch (error) {
      await queue.close()
      throw error
    }
  }

  async #prepare(folder: string): Promise<void> {
    this.#database.exec('PRAGMA busy_timeout = 5000')
    // File systems without shared memory have no write-ahead log.
    const mode = this.#one<{ journal_mode: string }>('PRAGMA journal_mode = WAL')?.journal_mode
    // SQLite would flush each commit while the event loop waits. Added, canceled and removed jobs are flushed below;
    // what else a loss of power undoes is done again.
    if (mode === 'wal') this.#database.exec('PRAGMA synchronous = NORMAL')
    this.#database.exec(schema)
    this.#addWebhooks()
    if (mode === 'wal') this.#log = await openFile(join(folder, 'jobs.sqlite-wal'), 'r+')
  }

  /** Adds what files of an earlier version lack. */
  #addWebhooks(): void {
    const columns = this.#all<{ name: string }>('PRAGMA table_info(jobs)')
    if (!columns.some(({ name }) => name === 'webhook'))
      this.#database.exec(`
        ALTER TABLE jobs ADD COLUMN webhook TEXT;
        ALTER TABLE jobs ADD COLUMN webhookAttempts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN webhookDueMs INTEGER;`)
    this.#database.exec(
      'CREATE INDEX IF NOT EXISTS jobsByWebhook ON jobs (webhookDueMs) WHERE webhookDueMs IS NOT NULL',
    )
  }

  add(job: NewJob, limits: QueueLimits): Promise<Added> {
    return this.#add({ job, state: 'queued', limits })
  }

  addSucceeded(job: NewJob): Promise<Added> {
    return this.#add({ job, state: 'succeeded', limits: undefined })
  }

  #add(addition: Omit<Addition, 'resolve' | 'reject'>): Promise<Added> {
    return new Promise((resolve, reject) => {
      this.#additions.push({ ...addition, resolve, reject })
      this.#adding ??= this.#addAll()
    })
  }

  /** Adds jobs that come together in one transaction, and flushes it to the disk beside the event loop. */
  async #addAll(): Promise<void> {
    await nextTurn()
    while (this.#additions.length > 0) {
      const some = this.#additions.splice(0, mostAdditions)
      try {
        const added = this.#atomically(() => some.map((addition) => this.#insert(addition)))
        await this.#log?.datasync()
        some.forEach(({ resolve }, i) => {
          resolve(added[i]!)
        })
        if (added.some((one) => one.kind === 'added' && one.isNew)) this.#tell('queued')
      } catch (error) {
        for (const { reject } of some) reject(error)
      }
    }
    this.#adding = undefined
  }

  #insert({ job, state, limits }: Addition): Added {
    const earlier = this.#one<Row>(
      'SELECT * FROM jobs WHERE owner = ? AND (id = ? OR requestKey = ?)',
      job.owner,
      job.id,
      job.requestKey ?? null,
    )
    if (earlier?.requestHash === job.requestHash) return { kind: 'added', job: jobOf(earlier), isNew: false }
    if (earlier) return { kind: 'conflict' }
    if (limits && this.#isFull(job.owner, limits)) return { kind: 'full' }
    const now = Date.now()
    this.#run(
      `INSERT INTO jobs (id, owner, state, priority, settings, model, input, address, requestKey, requestHash, createdMs, finishedMs, webhook, webhookDueMs)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[job.id, job.owner, state, job.priority, JSON.stringify(job.settings), job.model],
      ...[job.input, job.address, job.requestKey ?? null, job.requestHash, now],
      ...[state === 'queued' ? null : now, job.webhook ?? null, job.webhook === undefined ? null : 0],
    )
    return { kind: 'added', job: this.#job(job.owner, job.id)!, isNew: true }
  }

  #isFull(owner: string, limits: QueueLimits): boolean {
    const { all, own } = this.#one<{ all: number; own: number }>(
      `SELECT count(*) AS "all", coalesce(sum(owner = ?), 0) AS own FROM jobs WHERE ${open}`,
      owner,
    )!
    return all >= limits.total || own >= limits.owner
  }

  async hasRoom(owner: string, limits: QueueLimits): Promise<boolean> {
    const waiting = this.#additions.filter(({ state }) => state === 'queued')
    const own = waiting.filter(({ job }) => job.owner === owner)
    return !this.#isFull(owner, { total: limits.total - waiting.length, owner: limits.owner - own.length })
  }

  async find(owner: string, id: string): Promise<Job | undefined> {
    return this.#job(owner, id)
  }

  async position({ owner, id }: Job): Promise<number> {
    const row = this.#one<{ ahead: number }>(
      `SELECT count(*) AS ahead FROM jobs, (SELECT seq, priority FROM jobs WHERE owner = ? AND id = ?) AS own
       WHERE state = 'queued' AND jobs.seq < own.seq AND jobs.priority >= own.priority`,
      owner,
      id,
    )
    return row?.ahead ?? 0
  }

  async claim(models?: readonly string[]): Promise<Attempt | undefined> {
    const now = Date.now()
    const asked = this.#all<Pick<Row, 'model'>>(`SELECT DISTINCT model FROM jobs WHERE ${open}`)
    const taken = runnable(
      asked.map(({ model }) => model),
      models,
    )
    const claimed = this.#atomically(() => {
      this.#run(
        `UPDATE jobs SET state = 'failed', version = version + 1, finishedMs = ?, errorCode = 'crash', errorMessage = ?
         WHERE state = 'running' AND leaseMs < ? AND attempts >= ?`,
        ...[now, interrupted, now, this.#maxAttempts],
      )
      // Owners take turns: the one with the fewest running jobs, then the one served longest ago.
      const next = this.#one<Pick<Row, 'seq' | 'owner'>>(
        `SELECT seq, owner FROM jobs LEFT JOIN turns USING (owner)
         WHERE ((state = 'queued' AND notBeforeMs <= ?) OR (state = 'running' AND leaseMs < ?))
           AND model IN (${taken.map(() => '?').join(', ')})
         ORDER BY (SELECT count(*) FROM jobs AS own
             WHERE own.owner = jobs.owner AND own.state = 'running' AND own.leaseMs >= ?),
           coalesce(turn, 0), priority DESC, seq
         LIMIT 1`,
        ...[now, now, ...taken, now],
      )
      if (!next) return undefined
      this.#run(
        `UPDATE jobs SET state = 'running', version = version + 1, fence = fence + 1, attempts = attempts + 1,
           startedMs = ?, leaseMs = ?, done = 0, total = 0 WHERE seq = ?`,
        ...[now, now + this.#leaseMs, next.seq],
      )
      this.#run(
        `INSERT INTO turns VALUES (?, (SELECT coalesce(max(turn), 0) + 1 FROM turns))
         ON CONFLICT (owner) DO UPDATE SET turn = excluded.turn`,
        next.owner,
      )
      return this.#one<Row>('SELECT * FROM jobs WHERE seq = ?', next.seq)
    })
    if (!claimed) return undefined
    this.#tell(changeOf(claimed))
    return { job: jobOf(claimed), fence: claimed.fence }
  }

  async renew({ job, fence }: Attempt, { done, total }: { done: number; total: number }): Promise<boolean> {
    return this.#change(
      job,
      `UPDATE jobs SET leaseMs = ?, version = version + (done <> ? OR total <> ?), done = ?, total = ? WHERE ${held}`,
      ...[Date.now() + this.#leaseMs, done, total, done, total, job.owner, job.id, fence],
    )
  }

  async succeed({ job, fence }: Attempt): Promise<boolean> {
    return this.#end(job, fence, 'succeeded', undefined)
  }

  async fail({ job, fence }: Attempt, error: JobError): Promise<boolean> {
    return this.#end(job, fence, 'failed', error)
  }

  async retry(attempt: Attempt, error: JobError): Promise<void> {
    const { attempts } = attempt.job
    // Jobs that failed together are not all tried again together.
    const delayMs = this.#retryMs * 2 ** (attempts - 1) * (1 - Math.random() / 2)
    if (attempts >= this.#maxAttempts) await this.fail(attempt, error)
    else this.#requeue(attempt, Date.now() + delayMs, 0)
  }

  async release(attempt: Attempt): Promise<void> {
    this.#requeue(attempt, 0, 1)
  }

  #requeue({ job, fence }: Attempt, notBeforeMs: number, uncounted: number): void {
    this.#change(
      job,
      `UPDATE jobs SET state = 'queued', version = version + 1, attempts = attempts - ?, notBeforeMs = ?, done = 0, total = 0
       WHERE ${held}`,
      ...[uncounted, notBeforeMs, job.owner, job.id, fence],
    )
  }

  #end(
    { owner, id }: Pick<Job, 'owner' | 'id'>,
    fence: number,
    state: JobState,
    error: JobError | undefined,
  ): boolean {
    return this.#change(
      { id },
      `UPDATE jobs SET state = ?, version = version + 1, finishedMs = ?, errorCode = ?, errorMessage = ? WHERE ${held}`,
      ...[state, Date.now(), error?.code ?? null, error?.message ?? null, owner, id, fence],
    )
  }

  async cancel(owner: string, id: string): Promise<Job | undefined> {
    this.#change(
      { id },
      `UPDATE jobs SET state = 'canceled', version = version + 1, finishedMs = ? WHERE owner = ? AND id = ? AND ${open}`,
      ...[Date.now(), owner, id],
    )
    const job = this.#job(owner, id)
    await this.#log?.datasync()
    return job
  }

  async remove(owner: string, id: string): Promise<boolean> {
    const sql = `DELETE FROM jobs WHERE owner = ? AND id = ? AND NOT ${open}`
    const isRemoved = this.#change({ id }, sql, owner, id)
    await this.#log?.datasync()
    return isRemoved
  }

  async changed(job: Job, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const current = this.#job(job.owner, job.id)
    if (!current || current.version !== job.version || isFinal(current.state)) return
    // What other processes change is found after the time.
    await waitForEvent(this.#events, changeOf(job), timeoutMs, signal)
  }

  async available(timeoutMs: number, signal: AbortSignal): Promise<void> {
    await waitForEvent(this.#events, 'queued', timeoutMs, signal)
  }

  async claimWebhook(delaysMs: readonly number[]): Promise<Job | undefined> {
    const now = Date.now()
    const row = this.#atomically(() => {
      const due = this.#one<Row>(
        `SELECT * FROM jobs WHERE webhookDueMs <= ? AND NOT ${open} ORDER BY webhookDueMs, seq LIMIT 1`,
        now,
      )
      const delay = due && delaysMs[due.webhookAttempts]
      if (due)
        this.#run(
          'UPDATE jobs SET webhookAttempts = webhookAttempts + 1, webhookDueMs = ? WHERE seq = ?',
          ...[delay === undefined ? null : now + delay, due.seq],
        )
      return due
    })
    return row && jobOf(row)
  }

  async settleWebhook({ owner, id }: Job): Promise<void> {
    this.#run('UPDATE jobs SET webhookDueMs = NULL WHERE owner = ? AND id = ?', owner, id)
  }

  async refersTo(owner: string, address: string): Promise<boolean> {
    const sql = 'SELECT 1 FROM jobs WHERE address = ? AND owner = ? LIMIT 1'
    return this.#one(sql, address, owner) !== undefined
  }

  async references(): Promise<{ inputs: ReadonlySet<string>; results: ReadonlySet<string> }> {
    const column = (sql: string) => new Set(this.#all<{ value: string }>(sql).map(({ value }) => value))
    return {
      inputs: column(`SELECT DISTINCT input AS value FROM jobs WHERE ${open}`),
      results: column('SELECT DISTINCT address AS value FROM jobs'),
    }
  }

  async sweep(beforeMs: number): Promise<void> {
    this.#run(`DELETE FROM jobs WHERE NOT ${open} AND finishedMs < ?`, beforeMs)
    this.#run('DELETE FROM turns WHERE owner NOT IN (SELECT owner FROM jobs)')
  }

  async counts(): Promise<QueueCounts> {
    const rows = this.#all<{ state: JobState; count: number }>(
      'SELECT state, count(*) AS count FROM jobs GROUP BY state',
    )
    const countOf = (state: JobState) => rows.find((row) => row.state === state)?.count ?? 0
    const oldest = this.#one<{ ms: number | null }>(
      "SELECT min(createdMs) AS ms FROM jobs WHERE state = 'queued'",
    )
    const byState = Object.fromEntries(
      jobStates.map((state) => [state, countOf(state)]),
    ) as QueueCounts['byState']
    return { byState, oldestQueuedMs: oldest?.ms ?? undefined }
  }

  async check(): Promise<void> {
    this.#one('SELECT 1')
  }

  async close(): Promise<void> {
    await this.#adding
    this.#threads.close()
    // Waits for its flushes.
    await this.#log?.close()
    this.#database.close()
  }

  /** Changes a job and tells who waits for it. @returns whether there was one to change */
  #change(job: Pick<Job, 'id'>, sql: string, ...values: readonly unknown[]): boolean {
    const isChanged = this.#run(sql, ...values) > 0
    if (isChanged) {
      this.#tell(changeOf(job))
      this.#tell('queued')
    }
    return isChanged
  }

  #tell(event: string): void {
    this.#events.emit(event)
    this.#threads.postMessage(event)
  }

  #atomically<T>(action: () => T): T {
    return this.#database.transaction(action).immediate() as T
  }

  #job(owner: string, id: string): Job | undefined {
    const row = this.#one<Row>('SELECT * FROM jobs WHERE owner = ? AND id = ?', owner, id)
    return row && jobOf(row)
  }

  #one<T>(sql: string, ...values: readonly unknown[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined
  }

  #all<T>(sql: string, ...values: readonly unknown[]): readonly T[] {
    return this.#statement(sql).all(...values) as T[]
  }

  #run(sql: string, ...values: readonly unknown[]): number {
    return this.#statement(sql).run(...values).changes
  }

  #statement(sql: string): Database.Statement {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

/** Name of the event of a changed job; ids are chosen by strangers, and an event 'error' would throw. */
function changeOf({ id }: Pick<Job, 'id'>): string {
  return `changed ${id}`
}

function jobOf(row: Row): Job {
  const { id, owner, state, version, attempts, priority, model, input, address, requestHash } = row
  const { createdMs, done, total, errorCode, errorMessage } = row
  return {
    ...{ id, owner, state, version, attempts, priority, model, input, address, requestHash },
    ...{ createdMs, done, total },
    settings: JSON.parse(row.settings),
    requestKey: row.requestKey ?? undefined,
    webhook: row.webhook ?? undefined,
    startedMs: row.startedMs ?? undefined,
    finishedMs: row.finishedMs ?? undefined,
    error: errorCode && errorMessage !== null ? { code: errorCode, message: errorMessage } : undefined,
  }
}
