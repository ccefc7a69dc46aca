// Several pictures in one request, with one set of settings. A batch is its jobs: their ids are that of the batch with a
// number, and the id of the batch says how many there were, so nothing else is stored.

import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { Zip, ZipPassThrough } from 'fflate'
import { z } from 'zod'
import type { ServerBatch } from '../../client/protocol.ts'
import { RestoreError } from '../../core/errors.ts'
import type { ListedHosts } from '../access/listedHosts.ts'
import type { Intake, StoredPicture } from '../jobs/intake.ts'
import { isFinal, type Job, type JobQueue, jobStates } from '../jobs/job.ts'
import { selectModels } from '../jobs/selection.ts'
import { ProblemError, problemOf, problemSchema } from '../protocol/problems.ts'
import { type Settings, settingsSchema } from '../protocol/settings.ts'
import type { Store, StoredResult } from '../store/store.ts'
import { jobQuery } from './jobs.ts'
import { jobSchema, viewOf } from './jobView.ts'
import { checkSettings, parseSettings } from './upload.ts'
import { checkWebhook } from './webhookAddress.ts'

export interface BatchRoutes {
  readonly queue: JobQueue
  readonly store: Store
  readonly intake: Intake
  readonly webhookHosts: ListedHosts | undefined
  /** Most pictures of a batch: the unfinished jobs that a key may have. */
  readonly mostPictures: number
}

const refusedSchema = z
  .object({
    number: z.number().int().describe('Place among the pictures of the form, from 1.'),
    problem: problemSchema,
  })
  .meta({ id: 'Refused' })

const batchSchema = z
  .object({
    id: z.string(),
    state: z.enum(['queued', 'running', 'finished']),
    counts: z.record(z.enum(jobStates), z.number().int()),
    jobs: z.array(jobSchema.extend({ number: z.number().int() })).readonly(),
    refused: z.array(refusedSchema).readonly().optional().describe('Pictures without a job.'),
    links: z.object({ self: z.string(), results: z.string() }),
  })
  .meta({ id: 'Batch' }) satisfies z.ZodType<ServerBatch>

const paramsSchema = z.object({ id: z.string().regex(/^[0-9a-f-]{32,36}-[1-9]\d{0,5}$/) })

/** Size above which a zip would need a newer format than its readers may know. */
const mostZipBytes = 4e9

export function batchRoutes(server: FastifyInstance, routes: BatchRoutes): void {
  const { queue, store, intake, webhookHosts, mostPictures } = routes
  const app = server.withTypeProvider<ZodTypeProvider>()
  const answers = { '4xx': problemSchema, '5xx': problemSchema }

  /** Jobs of a batch with their numbers; those that were deleted are left out. @throws ProblemError 'not-found' */
  const findJobs = async ({ caller, params }: FastifyRequest): Promise<readonly Numbered<Job>[]> => {
    const { id } = params as z.output<typeof paramsSchema>
    const count = Math.min(Number(id.split('-').at(-1)), mostPictures)
    const jobs: Numbered<Job>[] = []
    for (let number = 1; number <= count; number++) {
      const job = await queue.find(caller.owner, jobIdOf(id, number))
      if (job) jobs.push({ number, value: job })
    }
    if (jobs.length > 0) return jobs
    throw new ProblemError(
      'not-found',
      `${id}: expected a batch of this key, got none; it may have been deleted`,
    )
  }

  const view = async (id: string, jobs: readonly Numbered<Job>[]): Promise<ServerBatch> => {
    const self = `/v1/batches/${id}`
    const countOf = (state: Job['state']) => jobs.filter(({ value }) => value.state === state).length
    const viewed = jobs.map(async ({ number, value }) => {
      const position = value.state === 'queued' ? await queue.position(value) : undefined
      return { number, ...viewOf(value, position) }
    })
    return {
      id,
      state: jobs.every(({ value }) => isFinal(value.state))
        ? 'finished'
        : countOf('queued') === jobs.length
          ? 'queued'
          : 'running',
      counts: Object.fromEntries(jobStates.map((state) => [state, countOf(state)])) as ServerBatch['counts'],
      jobs: await Promise.all(viewed),
      links: { self, results: `${self}/results` },
    }
  }

  app.post(
    '/v1/batches',
    {
      schema: {
        summary: 'Makes jobs of several pictures',
        description: `A form with at most ${mostPictures} pictures and a field \`settings\`, which holds for all. Pictures that are refused are listed with the reason, and do not hold up the others. A request that is repeated with the same Idempotency-Key gives the same batch.`,
        consumes: ['multipart/form-data'],
        querystring: jobQuery.omit({ url: true }),
        headers: z.object({ 'idempotency-key': z.string().min(1).max(255).optional() }),
        response: { 202: batchSchema, ...answers },
      },
    },
    async (request, reply) => {
      const { caller } = request
      const { priority = 0, webhook, ...asked } = request.query
      if (webhook !== undefined) checkWebhook(webhook, webhookHosts)
      using place = await intake.reserve(caller)
      const { pictures, fields } = await readForm(request, { intake, mostPictures })
      const settings: Settings = checkSettings(settingsSchema, {
        ...asked,
        ...parseSettings(fields.settings),
      })
      selectModels(settings)
      const id = `${baseOf(request.headers['idempotency-key'])}-${pictures.length}`
      const jobs: Numbered<Job>[] = []
      const refused: { number: number; problem: z.output<typeof problemSchema> }[] = []
      let first: unknown
      for (const [i, accept] of pictures.entries()) {
        const number = i + 1
        try {
          const picture = accept()
          const submission = { caller, place, id: jobIdOf(id, number), picture, settings, priority, webhook }
          const { job } = await intake.submit({ ...submission, requestKey: undefined })
          jobs.push({ number, value: job })
        } catch (error) {
          first ??= error
          refused.push({ number, problem: problemOf(error) })
        }
      }
      if (jobs.length === 0) throw first
      return reply
        .code(202)
        .header('location', `/v1/batches/${id}`)
        .send({ ...(await view(id, jobs)), refused })
    },
  )

  app.get(
    '/v1/batches/:id',
    {
      schema: {
        summary: 'Tells the state of a batch and of its jobs',
        params: paramsSchema,
        response: { 200: batchSchema, ...answers },
      },
    },
    async (request) => view(request.params.id, await findJobs(request)),
  )

  app.get(
    '/v1/batches/:id/results',
    {
      schema: {
        summary: 'Returns the restored pictures as a zip, each named by its number',
        params: paramsSchema,
        produces: ['application/zip'],
      },
    },
    async (request, reply) => {
      const found: Numbered<StoredResult>[] = []
      for (const { number, value } of await findJobs(request)) {
        const result = value.state === 'succeeded' ? await store.find(value.address) : undefined
        if (result) found.push({ number, value: result })
      }
      const bytes = found.reduce((sum, { value }) => sum + value.report.bytes, 0)
      if (bytes > mostZipBytes)
        throw new ProblemError(
          'conflict',
          `${request.params.id}: expected results of at most ${mostZipBytes / 1e9} GB, got more; fetch them one by one`,
        )
      return reply
        .type('application/zip')
        .header('content-disposition', 'attachment; filename="restored.zip"')
        .send(Readable.from(zipOf(found)))
    },
  )

  app.post(
    '/v1/batches/:id/cancel',
    {
      schema: {
        summary: 'Cancels the jobs of a batch that are not done',
        params: paramsSchema,
        response: { 200: batchSchema, ...answers },
      },
    },
    async (request) => {
      for (const { value } of await findJobs(request)) await queue.cancel(value.owner, value.id)
      return view(request.params.id, await findJobs(request))
    },
  )
}

interface Numbered<T> {
  /** Place among the pictures of the form, from 1. */
  readonly number: number
  readonly value: T
}

function jobIdOf(batch: string, number: number): string {
  return `${batch}-${number}`
}

/** The same for the same key of a caller; nobody else finds the batch, as jobs belong to their owner. */
function baseOf(requestKey: string | undefined): string {
  if (requestKey === undefined) return randomUUID()
  return createHash('sha256').update(requestKey).digest('hex').slice(0, 32)
}

interface Form {
  /** Each gives a stored picture, or throws why it was refused. */
  readonly pictures: readonly (() => StoredPicture)[]
  readonly fields: Readonly<Record<string, unknown>>
}

/** Stores the pictures of a form. @throws RestoreError 'usage' for a form without one, or that is none */
async function readForm(
  request: FastifyRequest,
  { intake, mostPictures }: Pick<BatchRoutes, 'intake' | 'mostPictures'>,
): Promise<Form> {
  if (!request.isMultipart())
    throw new ProblemError(
      'unsupported-type',
      `content-type: expected multipart/form-data, got ${request.headers['content-type'] || 'none'}`,
    )
  const fields: Record<string, unknown> = {}
  const pictures: (() => StoredPicture)[] = []
  const limits = { files: mostPictures, fields: 20, fieldSize: 65_536 }
  for await (const part of request.parts({ limits })) {
    if (part.type === 'field') {
      fields[part.fieldname] = part.value
      continue
    }
    try {
      const { picture } = await intake.accept(part.file, () => ({}))
      pictures.push(() => picture)
    } catch (error) {
      // The parts behind it are read all the same.
      part.file.resume()
      pictures.push(() => {
        throw error
      })
    }
  }
  if (pictures.length > 0) return { pictures, fields }
  throw new RestoreError('usage', 'form: expected parts with pictures, got none; send them as files')
}

/** A zip that is written while it is read; pictures hardly shrink, so they are stored. */
async function* zipOf(results: readonly Numbered<StoredResult>[]): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = []
  const zip = new Zip((error, chunk) => {
    if (error) throw error
    ready.push(chunk)
  })
  const digits = String(results.at(-1)?.number ?? 0).length
  for (const { number, value } of results) {
    const name = `${String(number).padStart(digits, '0')}.${value.report.format === 'jpeg' ? 'jpg' : value.report.format}`
    const file = new ZipPassThrough(name)
    zip.add(file)
    for await (const chunk of value.open() as AsyncIterable<Uint8Array>) {
      file.push(chunk)
      yield* ready.splice(0)
    }
    file.push(new Uint8Array(), true)
    yield* ready.splice(0)
  }
  zip.end()
  yield* ready.splice(0)
}
