// Jobs: made, watched, fetched, canceled and forgotten.

import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { ListedHosts } from '../access/listedHosts.ts'
import type { Sources } from '../access/sources.ts'
import type { Intake } from '../jobs/intake.ts'
import { isFinal, type Job, type JobQueue } from '../jobs/job.ts'
import { selectModels } from '../jobs/selection.ts'
import { ProblemError, problemSchema } from '../protocol/problems.ts'
import { settingsSchema } from '../protocol/settings.ts'
import type { Store } from '../store/store.ts'
import { jobSchema, viewOf } from './jobView.ts'
import { sendResult } from './results.ts'
import { uploadOf, withAccepted } from './upload.ts'
import { checkWebhook } from './webhookAddress.ts'

export interface JobRoutes {
  readonly queue: JobQueue
  readonly store: Store
  readonly intake: Intake
  /** Where pictures are taken from by address; undefined for nowhere. */
  readonly sources: Sources | undefined
  /** Hosts that are told how jobs ended; undefined for none. */
  readonly webhookHosts: ListedHosts | undefined
  /** Longest time that POST /v1/restore waits for a result. */
  readonly waitMs: number
  /** Aborted when the server drains. */
  readonly draining: AbortSignal
}

const idSchema = z.string().regex(/^[\w-]{1,64}$/)
const paramsSchema = z.object({ id: idSchema })
/** What a job is made with besides its picture. */
export const jobQuery = settingsSchema.extend({
  url: z
    .url()
    .optional()
    .describe('Address of the picture instead of a body, from hosts that the server lists.'),
  webhook: z
    .url()
    .max(2000)
    .optional()
    .describe('Address that is told how the job ended, of hosts that the server lists.'),
  priority: z.coerce.number().int().min(-10).max(10).optional().describe('Higher ones come first.'),
})

/** Least time between events of a job. */
const eventMs = 500

/** Time after which a comment keeps a quiet stream open. */
const keepAliveMs = 15_000

export function jobRoutes(server: FastifyInstance, routes: JobRoutes): void {
  const { queue, store, intake, sources, webhookHosts, waitMs, draining } = routes
  const app = server.withTypeProvider<ZodTypeProvider>()
  const accepts = ['application/octet-stream', 'image/*', 'multipart/form-data']
  const answers = { 202: jobSchema, '4xx': problemSchema, '5xx': problemSchema }

  /** Finds a job of the caller. @throws ProblemError 'not-found' */
  const findJob = async (request: FastifyRequest<{ Params: { id: string } }>): Promise<Job> => {
    const { id } = request.params
    const job = await queue.find(request.caller.owner, id)
    if (job) return job
    throw new ProblemError(
      'not-found',
      `${id}: expected a job of this key, got none; it may have been deleted`,
    )
  }

  const view = async (job: Job) => viewOf(job, job.state === 'queued' ? await queue.position(job) : undefined)

  const submit = async (request: FastifyRequest, id: string, requestKey?: string) => {
    const { caller } = request
    using place = await intake.reserve(caller)
    const { priority = 0, webhook } = request.query as z.output<typeof jobQuery>
    if (webhook !== undefined) checkWebhook(webhook, webhookHosts)
    const { stream, settings: read } = await uploadOf(request, { schema: settingsSchema, sources })
    const { picture, settings } = await intake.accept(stream, () => {
      const asked = withAccepted(read(), request.headers.accept)
      // What is wrong with settings is told before what is wrong with the picture.
      selectModels(asked)
      return asked
    })
    return intake.submit({ caller, place, id, picture, settings, priority, requestKey, webhook })
  }

  const accepted = async (reply: FastifyReply, job: Job) =>
    reply
      .code(202)
      .header('location', `/v1/jobs/${job.id}`)
      .send(await view(job))

  app.post(
    '/v1/restore',
    {
      schema: {
        summary: 'Restores a picture',
        description:
          'The body is the picture, or a form with it and a field `settings`. Answers with the result, or with 202 and a job after some time, or at once with `Prefer: respond-async`.',
        consumes: accepts,
        produces: ['image/*'],
        querystring: jobQuery,
        response: answers,
      },
    },
    async (request, reply) => {
      const { job } = await submit(request, randomUUID())
      if (/\brespond-async\b/.test(String(request.headers.prefer ?? ''))) return accepted(reply, job)
      // Nobody else knows the job yet, so it ends with the connection.
      const leave = () => {
        if (!reply.raw.writableFinished) void queue.cancel(job.owner, job.id)
      }
      const { socket } = request.raw
      if (socket.destroyed) leave()
      else socket.once('close', leave)
      const ended = await waitFor(queue, job, { waitMs, signal: draining })
      socket.off('close', leave)
      if (!isFinal(ended.state)) return accepted(reply, ended)
      return sendResult(request, reply, { job: ended, store })
    },
  )

  app.post(
    '/v1/jobs',
    {
      schema: {
        summary: 'Makes a job',
        description: 'A request that is repeated with the same Idempotency-Key gives the same job.',
        consumes: accepts,
        querystring: jobQuery,
        headers: z.object({ 'idempotency-key': z.string().min(1).max(255).optional() }),
        response: answers,
      },
    },
    async (request, reply) => {
      const { job } = await submit(request, randomUUID(), request.headers['idempotency-key'])
      return accepted(reply, job)
    },
  )

  app.put(
    '/v1/jobs/:id',
    {
      schema: {
        summary: 'Makes a job with an id of the caller',
        description: 'The same request again gives the same job; another one with this id is refused.',
        consumes: accepts,
        params: paramsSchema,
        querystring: jobQuery,
        response: answers,
      },
    },
    async (request, reply) => {
      const { job } = await submit(request, request.params.id)
      return accepted(reply, job)
    },
  )

  app.get(
    '/v1/jobs/:id',
    { schema: { summary: 'Tells the state of a job', params: paramsSchema, response: { 200: jobSchema } } },
    async (request) => view(await findJob(request)),
  )

  app.get(
    '/v1/jobs/:id/events',
    {
      schema: {
        summary: 'Streams the states of a job',
        description: 'Server-sent events of type `job`. The stream ends with the job.',
        params: paramsSchema,
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const job = await findJob(request)
      const last = Number(request.headers['last-event-id'] ?? 0)
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const signal = AbortSignal.any([gone.signal, draining])
      return reply
        .type('text/event-stream')
        .header('cache-control', 'no-store')
        .send(Readable.from(events(queue, job, { last, signal, view })))
    },
  )

  app.get(
    '/v1/jobs/:id/result',
    { schema: { summary: 'Returns the restored picture', params: paramsSchema, produces: ['image/*'] } },
    async (request, reply) => sendResult(request, reply, { job: await findJob(request), store }),
  )

  app.get(
    '/v1/jobs/:id/report',
    {
      schema: {
        summary: 'Tells how a picture was restored: model, device, tiles and times',
        params: paramsSchema,
      },
    },
    async (request) => {
      const { address } = await findJob(request)
      const found = await store.find(address)
      if (found) return found.report
      throw new ProblemError('not-found', `${request.params.id}: expected a job with a result, got none`)
    },
  )

  app.post(
    '/v1/jobs/:id/cancel',
    { schema: { summary: 'Cancels a job', params: paramsSchema, response: { 200: jobSchema } } },
    async (request) => {
      await findJob(request)
      return view((await queue.cancel(request.caller.owner, request.params.id)) ?? (await findJob(request)))
    },
  )

  app.delete(
    '/v1/jobs/:id',
    {
      schema: {
        summary: 'Cancels a job if it is under way, and forgets it and its result',
        params: paramsSchema,
      },
    },
    async (request, reply) => {
      const { owner, id, address } = await findJob(request)
      await queue.cancel(owner, id)
      await queue.remove(owner, id)
      if (!(await queue.refersTo(owner, address))) await store.delete(address)
      return reply.code(204).send()
    },
  )
}

interface WaitOptions {
  readonly waitMs: number
  readonly signal: AbortSignal
}

/** Waits until a job ends, or the time is up. @returns its last state */
async function waitFor(queue: JobQueue, job: Job, { waitMs, signal }: WaitOptions): Promise<Job> {
  const until = Date.now() + waitMs
  let last = job
  while (!isFinal(last.state) && Date.now() < until && !signal.aborted) {
    await queue.changed(last, Math.min(eventMs, until - Date.now()), signal)
    const found = await queue.find(last.owner, last.id)
    if (!found) return last
    last = found
  }
  return last
}

interface EventOptions {
  /** Version of the last event that the client has. */
  readonly last: number
  readonly signal: AbortSignal
  readonly view: (job: Job) => Promise<object>
}

async function* events(
  queue: JobQueue,
  first: Job,
  { last, signal, view }: EventOptions,
): AsyncGenerator<string> {
  let job: Job | undefined = first
  let sent = last
  let quietMs = 0
  while (job && !signal.aborted) {
    if (job.version !== sent) {
      yield `id: ${job.version}\nevent: job\ndata: ${JSON.stringify(await view(job))}\n\n`
      sent = job.version
      quietMs = 0
    } else if (quietMs >= keepAliveMs) {
      yield ': still here\n\n'
      quietMs = 0
    }
    if (isFinal(job.state)) return
    await queue.changed(job, eventMs, signal)
    quietMs += eventMs
    job = await queue.find(job.owner, job.id)
  }
}
