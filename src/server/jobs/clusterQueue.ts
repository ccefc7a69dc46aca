// A queue on BullMQ, for many machines: Redis or PostgreSQL holds references, never pictures. Each model has a queue of
// its own, so that a worker takes what it can run. BullMQ's lock is the lease, and its count of started attempts the
// fencing number.

import { createHash, randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Job as BullJob, ErrorCode, type IQueueBackend, Queue, QueueEvents, UnrecoverableError } from 'bullmq'
import { messageOf, RestoreError } from '../../core/errors.ts'
import { answerMs, type BullConnection, connectBull } from './bullConnection.ts'
import {
  type Added,
  type Attempt,
  interrupted,
  isFinal,
  type Job,
  type JobError,
  type JobQueue,
  type JobState,
  type NewJob,
  type QueueCounts,
  type QueueLimits,
  runnable,
  waitForEvent,
} from './job.ts'

/** Options of {@link ClusterQueue}. */
export interface ClusterQueueOptions {
  /** `redis://…` or `postgres://…`. */
  readonly address: string
  /** Time after which an attempt that was not renewed is taken over. @default 60 s */
  readonly leaseMs?: number
  /** Attempts after which a job has failed. @default 3 */
  readonly maxAttempts?: number
  /** Delay before the second attempt; it doubles for the third, less some at random. @default 1 s */
  readonly retryMs?: number
}

/** What BullMQ keeps of a job. */
interface Data {
  readonly job: NewJob
  /** Tells a new job from the one of an earlier equal request. */
  readonly request: string
  /** State of a job that no attempt has ended, and when it got it. */
  readonly final?: { readonly state: 'succeeded' | 'canceled'; readonly ms: number }
  /** Set where the job is to be forgotten as soon as its attempt lets it go. */
  readonly isForgotten?: true
  /** Attempts to tell how the job ended. */
  readonly told?: number
}

type BullQueue = Queue<Data, true, string, Data, true, string, IQueueBackend>

/** A job of BullMQ and the queue that has it. */
interface Placed {
  readonly queue: BullQueue
  readonly bull: BullJob<Data, true>
}

/** A job that this process has taken, and the token of its lock. */
interface Held extends Placed {
  readonly token: string
}

/** Most ended jobs of each model, and their age in seconds, that BullMQ keeps; sweeps forget the others. */
const mostEnded = 100_000
const kept = { age: 30 * 24 * 3600, count: mostEnded }

/** Place of a job in an empty queue; lower ones come first. */
const firstPlace = 2 ** 20
const lastPlace = 2 ** 21 - 1

/** Jobs that are read at a time. */
const pageSize = 100

/** Events of a queue that are kept. */
const mostEvents = 1000

/** Time for which the list of models is used again. */
const modelsMs = 1000

/** States of BullMQ before the end of a job. */
const waitingStates = ['prioritized', 'delayed', 'wait'] as const
const openStates = [...waitingStates, 'active'] as const

/** Codes of BullMQ for an attempt that no longer holds its job. */
const lostCodes: readonly unknown[] = [
  ErrorCode.JobNotExist,
  ErrorCode.JobLockNotExist,
  ErrorCode.JobNotInState,
  ErrorCode.JobLockMismatch,
]

/** A queue in Redis or PostgreSQL. */
export class ClusterQueue implements JobQueue {
  /** What the operator should change. */
  readonly warnings: readonly string[]
  readonly #connection: BullConnection
  readonly #leaseMs: number
  /** Time between looks for jobs whose lock has ended; the second one takes them over. */
  readonly #lookMs: number
  readonly #maxAttempts: number
  readonly #retryMs: number
  /** Queues of jobs by model, of which Redis or PostgreSQL has the list. */
  readonly #queues = new Map<string, BullQueue>()
  /** Jobs that no attempt ends: canceled before one, or found with a result. Nobody takes them. */
  readonly #canceled: BullQueue
  readonly #found: BullQueue
  readonly #webhooks: BullQueue
  /** Carries events between processes; its settings list the models. */
  readonly #bus: BullQueue
  readonly #events: QueueEvents<unknown, IQueueBackend>
  /** Emits the key of a changed job and 'queued'. */
  readonly #changes = new EventEmitter()
  readonly #held = new WeakMap<Attempt, Held>()
  #modelsReadMs = 0
  #lookedMs = 0
  #turn = 0

  private constructor(connection: BullConnection, options: Required<ClusterQueueOptions>) {
    this.#connection = connection
    this.warnings = connection.warnings
    this.#leaseMs = options.leaseMs
    this.#lookMs = Math.ceil(options.leaseMs / 2)
    this.#maxAttempts = options.maxAttempts
    this.#retryMs = options.retryMs
    this.#canceled = this.#open('limpid-canceled')
    this.#found = this.#open('limpid-found')
    this.#webhooks = this.#open('limpid-webhooks')
    this.#bus = this.#open('limpid')
    this.#changes.setMaxListeners(0)
    this.#events = quiet(new QueueEvents('limpid', { connection: {} }, connection.backend))
    const events: EventEmitter = this.#events
    events.on('changed', ({ name }: { readonly name: string }) => this.#changes.emit(name))
  }

  /** @throws RestoreError as {@link connectBull} does */
  static async open({
    address,
    leaseMs = 60_000,
    maxAttempts = 3,
    retryMs = 1000,
  }: ClusterQueueOptions): Promise<ClusterQueue> {
    const queue = new ClusterQueue(await connectBull(address), { address, leaseMs, maxAttempts, retryMs })
    await queue.#events.waitUntilReady()
    return queue
  }

  async add(job: NewJob, limits: QueueLimits): Promise<Added> {
    return this.#reach(async () => {
      const earlier = await this.#earlier(job)
      if (earlier) return earlier
      if (!(await this.hasRoom(job.owner, limits))) return { kind: 'full' }
      return this.#add(await this.#queueOf(job.model), job, { priority: true })
    })
  }

  async addSucceeded(job: NewJob): Promise<Added> {
    return this.#reach(async () => {
      const earlier = await this.#earlier(job)
      if (earlier) return earlier
      const added = await this.#add(this.#found, job, { final: { state: 'succeeded', ms: Date.now() } })
      if (added.kind === 'added') await this.#announce(added.job)
      return added
    })
  }

  /** The answer to a request that was made before. */
  async #earlier(job: NewJob): Promise<Added | undefined> {
    const { id } = identified(job)
    const found = await this.#find(job.owner, id)
    if (!found) return undefined
    const { data } = found.bull
    if (data.job.requestHash !== job.requestHash || data.isForgotten) return { kind: 'conflict' }
    return { kind: 'added', job: await this.#describe(found), isNew: false }
  }

  async #add(
    queue: BullQueue,
    given: NewJob,
    { priority, final }: { readonly priority?: true; readonly final?: Data['final'] },
  ): Promise<Added> {
    const job = identified(given)
    const key = keyOf(job.owner, job.id)
    const request = randomUUID()
    await queue.add(
      'restore',
      { job, request, ...(final ? { final } : {}) },
      {
        jobId: key,
        ...(priority ? { priority: await this.#place(queue, job) } : {}),
        attempts: this.#maxAttempts,
        backoff: { type: 'exponential', delay: this.#retryMs, jitter: 0.5 },
        removeOnComplete: kept,
        removeOnFail: kept,
        stackTraceLimit: 0,
        keepLogs: 0,
      },
    )
    // BullMQ keeps the first of two jobs with one id, without saying so.
    const bull = await queue.getJob(key)
    if (bull?.data.job.requestHash !== job.requestHash) return { kind: 'conflict' }
    await this.#tell('queued')
    return { kind: 'added', job: await this.#describe({ queue, bull }), isNew: bull.data.request === request }
  }

  /**
   * Chooses a job's place among those that wait. Owners take turns: each next job of an owner comes one round later.
   * A job that precedes others of its owner takes the place before them.
   */
  async #place(queue: BullQueue, { owner, priority }: NewJob): Promise<number> {
    const ids = await queue.getRanges(['prioritized'], 0, -1, true)
    const [head] = ids
    if (head === undefined) return firstPlace
    const jobs = await Promise.all(
      [head, ...ids.filter((id) => id.startsWith(prefixOf(owner)))].map((id) => queue.getJob(id)),
    )
    const [first, ...own] = jobs.map((job) => job && { place: job.priority, priority: job.data.job.priority })
    const waiting = own.filter((job) => job !== undefined)
    const later = waiting.filter((job) => job.priority < priority).map(({ place }) => place)
    const place = later.length > 0 ? Math.min(...later) - 1 : (first?.place ?? firstPlace) + waiting.length
    return Math.min(Math.max(place, 1), lastPlace)
  }

  async hasRoom(owner: string, limits: QueueLimits): Promise<boolean> {
    return this.#reach(async () => {
      const ids = await this.#all((queue) => queue.getRanges([...openStates], 0, -1))
      const own = ids.filter((id) => id.startsWith(prefixOf(owner)))
      return ids.length < limits.total && own.length < limits.owner
    })
  }

  async find(owner: string, id: string): Promise<Job | undefined> {
    return this.#reach(async () => {
      const found = await this.#find(owner, id)
      return found && !found.bull.data.isForgotten ? this.#describe(found) : undefined
    })
  }

  async position({ owner, id, model }: Job): Promise<number> {
    return this.#reach(async () => {
      const ids = await (await this.#queueOf(model)).getRanges(['prioritized'], 0, -1, true)
      return Math.max(ids.indexOf(keyOf(owner, id)), 0)
    })
  }

  async claim(models?: readonly string[]): Promise<Attempt | undefined> {
    await this.#takeOver()
    const names = runnable(await this.#models(), models)
    // Models take turns, too.
    this.#turn++
    for (let i = 0; i < names.length; i++) {
      const queue = await this.#queueOf(names[(i + this.#turn) % names.length]!)
      const attempt = await this.#claimFrom(queue)
      if (attempt) return attempt
    }
    return undefined
  }

  async #claimFrom(queue: BullQueue): Promise<Attempt | undefined> {
    for (;;) {
      const held = await take(queue)
      if (!held) return undefined
      const { bull } = held
      const isOver = bull.data.final !== undefined || bull.data.isForgotten
      if (isOver) await this.#discard(held)
      else if (bull.deferredFailure) await this.#fail(held, { code: 'crash', message: interrupted })
      else {
        const attempt = { job: await this.#describe(held, 'running'), fence: bull.attemptsStarted }
        this.#held.set(attempt, held)
        await this.#tell(bull.id)
        return attempt
      }
    }
  }

  /** Makes jobs whose lock has ended available. */
  async #takeOver(): Promise<void> {
    if (Date.now() - this.#lookedMs < this.#lookMs) return
    this.#lookedMs = Date.now()
    await this.#models()
    for (const queue of [...this.#queues.values(), this.#webhooks])
      await queue.getBackend().moveStalledJobsToWait()
  }

  async renew(attempt: Attempt, progress: { done: number; total: number }): Promise<boolean> {
    const held = this.#heldBy(attempt)
    const { queue, bull, token } = held
    const isHeld = (await bull.extendLock(token, this.#leaseMs)) > 0
    const stored = isHeld ? await queue.getJob(bull.id!) : undefined
    if (!stored) return false
    const { data } = stored
    if (data.final || data.isForgotten) {
      await this.#discard({ ...held, bull: stored })
      return false
    }
    const last = progressOf(stored)
    if (last.done !== progress.done || last.total !== progress.total)
      await bull.updateProgress({ ...last, ...progress })
    return true
  }

  async succeed(attempt: Attempt): Promise<boolean> {
    const { bull, token } = this.#heldBy(attempt)
    await this.#announce(attempt.job)
    return this.#end(bull, () => bull.moveToCompleted(true, token, false))
  }

  async fail(attempt: Attempt, error: JobError): Promise<boolean> {
    return this.#fail(this.#heldBy(attempt), error)
  }

  async #fail({ bull, token }: Held, error: JobError): Promise<boolean> {
    await this.#announce(bull.data.job)
    // Another attempt would end in the same way.
    const failure = new UnrecoverableError(JSON.stringify(error))
    return this.#end(bull, () => bull.moveToFailed(failure, token))
  }

  async retry(attempt: Attempt, error: JobError): Promise<void> {
    const { bull, token } = this.#heldBy(attempt)
    if (bull.attemptsMade + 1 >= this.#maxAttempts) await this.fail(attempt, error)
    else await this.#end(bull, () => bull.moveToFailed(new Error(JSON.stringify(error)), token))
  }

  async release(attempt: Attempt): Promise<void> {
    const { bull, token } = this.#heldBy(attempt)
    const { released } = progressOf(bull)
    const isPutBack = await this.#end(bull, () => bull.moveToWait(token))
    if (isPutBack) await bull.updateProgress({ released: released + 1 })
    await this.#tell('queued')
  }

  async cancel(owner: string, id: string): Promise<Job | undefined> {
    return this.#reach(async () => {
      const found = await this.#find(owner, id)
      if (!found || found.bull.data.isForgotten) return undefined
      const { queue, bull } = found
      const job = await this.#describe(found)
      if (isFinal(job.state)) return job
      // Its attempt finds this out when it renews.
      const data: Data = { ...bull.data, final: { state: 'canceled', ms: Date.now() } }
      await bull.updateData(data)
      await this.#announce(job)
      if (job.state === 'queued') {
        await this.#canceled.add('canceled', data, { jobId: bull.id! })
        await queue.getBackend().remove(bull.id!, false)
      }
      await this.#tell(bull.id)
      return this.find(owner, id)
    })
  }

  async remove(owner: string, id: string): Promise<boolean> {
    return this.#reach(async () => {
      const found = await this.#find(owner, id)
      if (!found || found.bull.data.isForgotten) return false
      const { queue, bull } = found
      if (!isFinal((await this.#describe(found)).state)) return false
      if ((await queue.getBackend().remove(bull.id!, false)) === 0)
        await bull.updateData({ ...bull.data, isForgotten: true })
      await this.#tell(bull.id)
      return true
    })
  }

  /** Ends the attempt at a canceled job. */
  async #discard({ bull, token }: Held): Promise<void> {
    if (!bull.data.isForgotten) await this.#canceled.add('canceled', bull.data, { jobId: bull.id! })
    bull.opts.removeOnFail = true
    await this.#end(bull, () => bull.moveToFailed(new UnrecoverableError('canceled'), token))
  }

  async changed(job: Job, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const name = keyOf(job.owner, job.id)
    // Listens first, so that no change is missed.
    const waiting = new AbortController()
    const ending = AbortSignal.any([waiting.signal, ...(signal ? [signal] : [])])
    const change = waitForEvent(this.#changes, name, timeoutMs, ending)
    const current = await this.find(job.owner, job.id).catch(() => job)
    if (!current || current.version !== job.version || isFinal(current.state)) waiting.abort()
    await change
  }

  async available(timeoutMs: number, signal: AbortSignal): Promise<void> {
    await waitForEvent(this.#changes, 'queued', timeoutMs, signal)
  }

  /** Enters a job among those whose webhook is due, before it ends: until then, the entry waits. */
  async #announce(job: NewJob): Promise<void> {
    if (job.webhook === undefined) return
    const options = { jobId: keyOf(job.owner, job.id), removeOnComplete: true, keepLogs: 0 }
    await this.#webhooks.add('ended', { job, request: '' }, options)
  }

  async claimWebhook(delaysMs: readonly number[]): Promise<Job | undefined> {
    for (;;) {
      const held = await take(this.#webhooks)
      if (!held) return undefined
      const { bull, token } = held
      const { job: ended, told = 0 } = bull.data
      const job = await this.find(ended.owner, ended.id)
      const delay = delaysMs[told]
      if (job && !isFinal(job.state)) await bull.moveToDelayed(Date.now() + modelsMs, token)
      else if (!job || delay === undefined) await bull.moveToCompleted(true, token, false)
      else {
        await bull.updateData({ ...bull.data, told: told + 1 })
        await bull.moveToDelayed(Date.now() + delay, token)
      }
      if (job && isFinal(job.state)) return job
    }
  }

  async settleWebhook({ owner, id }: Job): Promise<void> {
    await this.#webhooks.remove(keyOf(owner, id))
  }

  async refersTo(owner: string, address: string): Promise<boolean> {
    for await (const { data } of this.#jobs((id) => id.startsWith(prefixOf(owner))))
      if (data.job.address === address) return true
    return false
  }

  async references(): Promise<{ inputs: ReadonlySet<string>; results: ReadonlySet<string> }> {
    const inputs = new Set<string>()
    const results = new Set<string>()
    for await (const { data, finishedOn } of this.#jobs()) {
      if (!finishedOn && !data.final) inputs.add(data.job.input)
      results.add(data.job.address)
    }
    return { inputs, results }
  }

  /** Jobs in any state, a page of them in memory at a time: there may be a hundred thousand. */
  async *#jobs(isWanted: (id: string) => boolean = () => true): AsyncGenerator<BullJob<Data, true>> {
    await this.#models()
    for (const queue of [...this.#queues.values(), this.#found, this.#canceled]) {
      const ids = await queue.getRanges([...openStates, 'completed', 'failed'], 0, -1)
      const wanted = ids.filter(isWanted)
      for (let i = 0; i < wanted.length; i += pageSize) {
        const jobs = await Promise.all(wanted.slice(i, i + pageSize).map((id) => queue.getJob(id)))
        // Some have been forgotten meanwhile.
        yield* jobs.filter((job) => job !== undefined)
      }
    }
  }

  async sweep(beforeMs: number): Promise<void> {
    const ageMs = Date.now() - beforeMs
    await this.#all(async (queue) => [
      ...(await queue.clean(ageMs, mostEnded, 'completed')),
      ...(await queue.clean(ageMs, mostEnded, 'failed')),
    ])
    for (const queue of [this.#found, this.#canceled]) await queue.clean(ageMs, mostEnded, 'wait')
  }

  async counts(): Promise<QueueCounts> {
    await this.#models()
    const queues = [...this.#queues.values()]
    const sum = async (
      from: readonly BullQueue[],
      ...states: readonly Parameters<Queue['getJobCountByTypes']>[0][]
    ) =>
      (await Promise.all(from.map((queue) => queue.getJobCountByTypes(...states)))).reduce((a, b) => a + b, 0)
    const oldest = await Promise.all(queues.map((queue) => queue.getJobs(['prioritized'], 0, 0, true)))
    const times = oldest.flat().map(({ timestamp }) => timestamp)
    return {
      byState: {
        queued: await sum(queues, ...waitingStates),
        running: await sum(queues, 'active'),
        succeeded: (await sum(queues, 'completed')) + (await sum([this.#found], 'wait')),
        failed: await sum(queues, 'failed'),
        canceled: await sum([this.#canceled], 'wait'),
      },
      oldestQueuedMs: times.length > 0 ? Math.min(...times) : undefined,
    }
  }

  async check(): Promise<void> {
    await this.#reach(() => this.#connection.check())
  }

  async close(): Promise<void> {
    // While Redis is away, close() itself waits for a connection to end that has ended already.
    this.#events.close().catch(() => {})
    await this.#events.getBackend().close(true)
    const queues = [...this.#queues.values(), this.#canceled, this.#found, this.#webhooks, this.#bus]
    await Promise.all(queues.map((queue) => queue.close()))
    await this.#connection.close()
  }

  #open(name: string): BullQueue {
    const options = {
      connection: {},
      streams: { events: { maxLen: mostEvents } },
      // Options of BullMQ's workers; here jobs are taken by hand.
      lockDuration: this.#leaseMs,
      stalledInterval: this.#lookMs,
      maxStalledCount: this.#maxAttempts - 1,
    }
    return quiet(new Queue(name, options, this.#connection.backend))
  }

  /** The queue of a model, which all processes know from then on. */
  async #queueOf(model: string): Promise<BullQueue> {
    const known = this.#queues.get(model)
    if (known) return known
    await this.#bus.getBackend().setQueueMeta({ [modelField + model]: '1' })
    return this.#opened(model)
  }

  #opened(model: string): BullQueue {
    const queue = this.#queues.get(model) ?? this.#open(`limpid-job-${encodeURIComponent(model)}`)
    this.#queues.set(model, queue)
    return queue
  }

  /** Models that jobs have asked for. */
  async #models({ isFresh = false } = {}): Promise<readonly string[]> {
    if (isFresh || Date.now() - this.#modelsReadMs > modelsMs) {
      this.#modelsReadMs = Date.now()
      for (const field of Object.keys(await this.#bus.getBackend().getQueueMeta()))
        if (field.startsWith(modelField)) this.#opened(field.slice(modelField.length))
    }
    return [...this.#queues.keys()]
  }

  /** Asks the queues of all models. */
  async #all<T>(ask: (queue: BullQueue) => Promise<readonly T[]>): Promise<readonly T[]> {
    await this.#models()
    return (await Promise.all([...this.#queues.values()].map(ask))).flat()
  }

  async #find(owner: string, id: string): Promise<Placed | undefined> {
    const key = keyOf(owner, id)
    const search = async () => {
      const queues = [...this.#queues.values(), this.#found, this.#canceled]
      const found = queues.map(async (queue) => ({ queue, bull: await queue.getJob(key) }))
      return (await Promise.all(found)).find((one): one is Placed => one.bull !== undefined)
    }
    const found = await search()
    if (found) return found
    // Another process may have opened the queue of its model.
    const known = this.#queues.size
    await this.#models({ isFresh: true })
    return this.#queues.size > known ? search() : undefined
  }

  /** Describes a job of BullMQ; its state is asked for where its data do not tell. */
  async #describe({ queue, bull }: Placed, known?: JobState): Promise<Job> {
    const { job, final } = bull.data
    let read = bull
    let state = known ?? endOf(bull)
    if (!state) {
      const name = await bull.getState()
      state = name === 'active' ? 'running' : 'queued'
      // It has ended meanwhile.
      const again = name === 'completed' || name === 'failed' ? await queue.getJob(bull.id!) : undefined
      read = again ?? bull
      state = (again && endOf(again)) ?? state
    }
    const { attemptsStarted: starts, timestamp: createdMs, processedOn: startedMs, finishedOn } = read
    const progress = progressOf(read)
    const attempts = starts - progress.released
    const { done, total } = state === 'running' ? progress : { done: 0, total: 0 }
    const steps = isFinal(state) ? 2 * starts + 1 : 2 * starts - (state === 'running' ? 1 : 0)
    return {
      ...job,
      ...{ state, attempts, createdMs, startedMs, done, total },
      version: steps * 1e6 + done + 1,
      finishedMs: isFinal(state) ? (finishedOn ?? final?.ms) : undefined,
      error: state === 'failed' ? errorOf(read.failedReason) : undefined,
    }
  }

  #heldBy(attempt: Attempt): Held {
    const held = this.#held.get(attempt)
    if (held) return held
    throw new Error('queue: expected an attempt that this process has claimed')
  }

  /** Moves a job on. @returns false where its attempt no longer holds it */
  async #end(bull: BullJob<Data, true>, move: () => Promise<unknown>): Promise<boolean> {
    try {
      await move()
    } catch (error) {
      if (lostCodes.includes((error as { readonly code?: unknown }).code)) return false
      throw error
    }
    await this.#tell(bull.id)
    return true
  }

  /** Tells all processes that a job has changed, or that one may be waiting. */
  async #tell(name = ''): Promise<void> {
    await this.#bus.getBackend().publishEvent({ event: 'changed', name }, mostEvents)
  }

  /** @throws RestoreError 'environment' where the queue cannot be reached */
  async #reach<T>(action: () => Promise<T>): Promise<T> {
    const silence = new AbortController()
    const { signal } = silence
    try {
      // BullMQ itself waits for a connection for as long as there is none.
      return await Promise.race([action(), sleep(2 * answerMs, undefined, { signal }).then(unanswered)])
    } catch (error) {
      if (error instanceof RestoreError) throw error
      throw new RestoreError(
        'environment',
        `queue: cannot be reached (${messageOf(error)}); try again later`,
        {
          cause: error,
        },
      )
    } finally {
      silence.abort()
    }
  }
}

function unanswered(): never {
  throw new Error(`no answer within ${(2 * answerMs) / 1000} s`)
}

/** Whoever uses a connection learns what fails; without a listener BullMQ prints it, too. */
function quiet<T extends EventEmitter>(source: T): T {
  source.on('error', () => {})
  return source
}

/** Fields of the bus that list the models. */
const modelField = 'model:'

/** Takes the next job of a queue. */
async function take(queue: BullQueue): Promise<Held | undefined> {
  const token = randomUUID()
  const [data, id] = await queue.getBackend().moveToActive(token)
  return data ? { queue, bull: BullJob.fromJSON<Data, true>(queue, data, id), token } : undefined
}

/** A request key is the id of its job, so that the same key finds the same job. */
function identified(job: NewJob): NewJob {
  return job.requestKey === undefined ? job : { ...job, id: `key-${hash(job.requestKey).slice(0, 32)}` }
}

/** BullMQ's id of a job: the owner's part first. */
function keyOf(owner: string, id: string): string {
  return prefixOf(owner) + hash(id).slice(0, 32)
}

function prefixOf(owner: string): string {
  return `${hash(owner).slice(0, 16)}-`
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The final state of a job of BullMQ, if it has one. */
function endOf({ finishedOn, returnvalue, data }: BullJob<Data, true>): JobState | undefined {
  if (finishedOn && returnvalue === true) return 'succeeded'
  return data.final?.state ?? (finishedOn ? 'failed' : undefined)
}

/** What attempts report; the jobs that were put back are counted there as well. */
function progressOf({ progress }: Pick<BullJob, 'progress'>) {
  const given: Partial<Record<'done' | 'total' | 'released', number>> =
    typeof progress === 'object' ? progress : {}
  const { done = 0, total = 0, released = 0 } = given
  return { done, total, released }
}

function errorOf(reason: string): JobError {
  try {
    return JSON.parse(reason)
  } catch {
    return { code: 'crash', message: `restore: failed (${reason})` }
  }
}
