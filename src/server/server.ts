// The server: pictures in, restored pictures out, over HTTP.

import { setTimeout as sleep } from 'node:timers/promises'
import helmet from '@fastify/helmet'
import multipart from '@fastify/multipart'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { messageOf } from '../core/errors.ts'
import { packageVersion } from '../data/packageFiles.ts'
import { type ApiKey, keyOf } from './access/keys.ts'
import type { ListedHosts } from './access/listedHosts.ts'
import type { Sources } from './access/sources.ts'
import { type BackendOptions, type Backends, openBackends } from './backends.ts'
import { type Caller, Intake, type Limits } from './jobs/intake.ts'
import { Looker } from './jobs/looker.ts'
import { Metrics } from './jobs/metrics.ts'
import { startMetricsServer } from './jobs/metricsServer.ts'
import { Webhooks } from './jobs/webhooks.ts'
import type { PageFolders } from './pages/pageFiles.ts'
import { describeApi, describeRoute } from './protocol/describeRoute.ts'
import { ProblemError, problemOf, sendProblem } from './protocol/problems.ts'
import { appRoutes } from './routes/app.ts'
import { batchRoutes } from './routes/batches.ts'
import { detectRoutes } from './routes/detect.ts'
import { docsRoutes } from './routes/docs.ts'
import { healthRoutes } from './routes/health.ts'
import { jobRoutes } from './routes/jobs.ts'
import { viewOf } from './routes/jobView.ts'
import { modelRoutes } from './routes/models.ts'
import { RunnerThread, type RunnerThreadOptions } from './runnerThread.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
  }
}

/** How a server is run. */
export interface ServerOptions {
  readonly host: string
  /** 0 for a free port. */
  readonly port: number
  /** Port of the metrics; undefined for none. */
  readonly metricsPort: number | undefined
  /** Where the queue and the store are; the thread that runs the jobs opens them, too. */
  readonly backends: BackendOptions
  /** Keys that give access; undefined for everybody. */
  readonly keys: readonly ApiKey[] | undefined
  /** Origins of pages that may call the server. */
  readonly origins: readonly string[]
  /** Where pictures are taken from by address; undefined for nowhere. */
  readonly sources: Sources | undefined
  /** Who is told how jobs ended, and the secret that signs it; undefined for nobody. */
  readonly webhooks: { readonly hosts: ListedHosts; readonly secret: string } | undefined
  /** The app in the browser; undefined for none. */
  readonly app: PageFolders | undefined
  readonly limits: Limits
  /** Where networks compute. @default the best device */
  readonly device?: string | undefined
  /** How this process runs the jobs; undefined where workers run them. */
  readonly jobs: Pick<RunnerThreadOptions, 'slots' | 'capacity' | 'dtype'> | undefined
  /** Longest time for a job. */
  readonly timeoutMs: number
  /** Longest time that POST /v1/restore waits. */
  readonly waitMs: number
  /** Time that results are kept, and their size, above which the oldest are deleted. */
  readonly keepMs: number
  readonly quotaBytes: number
  /** Where the log is written; undefined for none. */
  readonly log: { write(line: string): void } | undefined
}

export interface RunningServer {
  readonly address: string
  readonly metricsAddress: string | undefined
  /** What the operator should change. */
  readonly warnings: readonly string[]
  /** Takes no more requests, waits for jobs, puts back those that take longer, and closes everything. */
  stop(drainMs: number): Promise<void>
}

/** Time between sweeps of the store. */
const sweepMs = 60_000

/** Where there are many jobs, a sweep is followed by a rest this many times as long. */
const sweepRest = 30

/** Longest time for the headers of a request, and for all of it: an upload of the largest size by a slow line. */
const headersMs = 10_000
const requestMs = 300_000

/** Time between looks for requests that take longer. */
const checkMs = 2000

/**
 * Starts a server.
 * @throws RestoreError 'environment' where the queue or the store cannot be reached; an error if a port is taken
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const backends = await openBackends(options.backends)
  try {
    return await serve(options, backends)
  } catch (error) {
    await backends.queue.close()
    throw error
  }
}

async function serve(options: ServerOptions, { queue, store, warnings }: Backends): Promise<RunningServer> {
  const { backends, device, limits, timeoutMs, keepMs, quotaBytes } = options
  const draining = new AbortController()
  const metrics = new Metrics(() => queue)
  const app = await buildServer(options, { queue, store, metrics, draining: draining.signal })
  const onError = (error: unknown) => app.log.error({ reason: messageOf(error) }, 'unexpected failure')
  const runner =
    options.jobs &&
    new RunnerThread(
      { ...options.jobs, backends, device, timeoutMs, pixelLimit: limits.pixelsIn },
      { metrics, onError },
    )
  const webhooks =
    options.webhooks &&
    new Webhooks({
      ...{ ...options.webhooks, queue, view: viewOf, metrics, onError },
      onFailure: (failure) => app.log.warn(failure, 'a webhook was not told'),
    })
  const sweep = async () => {
    await queue.sweep(Date.now() - keepMs)
    await store.sweep({ ...(await queue.references()), quotaBytes })
  }
  const keepSweeping = async () => {
    let pauseMs = sweepMs
    while (true) {
      await sleep(pauseMs, undefined, { signal: draining.signal, ref: false })
      const started = performance.now()
      await sweep().catch(onError)
      pauseMs = Math.max(sweepMs, sweepRest * (performance.now() - started))
    }
  }
  try {
    await Promise.all([runner?.ready, sweep()])
    // Ends when the server stops.
    keepSweeping().catch(() => {})
    const address = await app.listen({ host: options.host, port: options.port })
    const { host, metricsPort } = options
    const exporter =
      metricsPort === undefined ? undefined : await startMetricsServer({ host, port: metricsPort, metrics })
    return {
      address,
      metricsAddress: exporter && `${exporter.address}/metrics`,
      warnings,
      async stop(drainMs) {
        draining.abort()
        await runner?.stop(drainMs)
        await app.close()
        await webhooks?.stop()
        await options.sources?.close()
        exporter?.close()
        await queue.close()
      },
    }
  } catch (error) {
    draining.abort()
    await runner?.stop(0)
    await webhooks?.stop()
    await app.close()
    throw error
  }
}

interface ServerParts extends Pick<Backends, 'queue' | 'store'> {
  readonly metrics: Metrics
  readonly draining: AbortSignal
}

async function buildServer(
  { keys, origins, sources, webhooks, app: pages, device, limits, waitMs, timeoutMs, log }: ServerOptions,
  { queue, store, metrics, draining }: ServerParts,
): Promise<FastifyInstance> {
  const app = fastify({
    // Names and addresses of pictures stay out of the log.
    logger: log
      ? {
          stream: log,
          serializers: { req: ({ method, routeOptions }) => ({ method, route: routeOptions?.url }) },
        }
      : false,
    bodyLimit: limits.bytes,
    requestTimeout: requestMs,
    keepAliveTimeout: 5000,
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkMs },
    forceCloseConnections: 'idle',
    genReqId: () => crypto.randomUUID(),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  // Bodies are streamed to the store.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_, payload, done) => done(null, payload))
  app.decorateRequest('caller')
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    metrics.reject(problem.code)
    if (problem.status >= 500) request.log.error({ reason: messageOf(error) }, problem.code)
    return sendProblem(reply, error)
  })
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new ProblemError(
        'not-found',
        `${request.method} ${request.url.split('?')[0]}: expected a known address, got another; see /docs`,
      ),
    ),
  )
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    allowOrigin(origins, request.headers.origin, reply)
    if (request.method === 'OPTIONS' && request.headers.origin) return reply.code(204).send()
    const { url = '' } = request.routeOptions
    if (!url.startsWith('/v1/')) return
    request.caller = callerOf(keys, request.headers.authorization)
    if (draining.aborted && request.method !== 'GET')
      throw new ProblemError(
        'draining',
        'server: expected to take requests, got a request to stop; try again later',
        {
          retryAfterSeconds: 10,
        },
      )
  })
  await app.register(helmet, {
    // Encryption is the business of a proxy.
    strictTransportSecurity: false,
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
    crossOriginResourcePolicy: { policy: origins.length > 0 ? 'cross-origin' : 'same-origin' },
  })
  await app.register(multipart, { limits: { fileSize: limits.bytes + 1 } })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        ...{ title: 'Limpid', version: packageVersion(), description: 'Restores damaged photos.' },
        license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      ...(keys
        ? {
            components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
            security: [{ key: [] }],
          }
        : { security: [] }),
    },
    transform: describeRoute,
    transformObject: describeApi,
  })
  const intake = new Intake({ queue, store, limits })
  const looker = new Looker({ device, timeoutMs })
  app.addHook('onClose', () => looker.close())
  await app.register(async (routes) => {
    jobRoutes(routes, { queue, store, intake, sources, webhookHosts: webhooks?.hosts, waitMs, draining })
    const mostPictures = limits.ownerQueue
    batchRoutes(routes, { queue, store, intake, webhookHosts: webhooks?.hosts, mostPictures })
    detectRoutes(routes, { store, intake, looker, sources, pixelLimit: limits.pixelsIn, draining })
    modelRoutes(routes)
    healthRoutes(routes, { queue, store, draining })
    docsRoutes(routes)
    if (pages) appRoutes(routes, { ...pages, server: keys ? 'key' : 'open' })
  })
  return app
}

/** Who asks; everybody is one owner where there are no keys. @throws ProblemError 'unauthorized' */
function callerOf(keys: readonly ApiKey[] | undefined, authorization: string | undefined): Caller {
  if (!keys) return { owner: 'everybody', queue: undefined }
  const key = keyOf(keys, authorization)
  if (key) return { owner: key.name, queue: key.queue }
  throw new ProblemError(
    'unauthorized',
    `authorization: expected 'Bearer KEY' with a key of this server, got ${authorization ? 'another' : 'none'}`,
  )
}

/** Lets pages of listed origins call the server. */
function allowOrigin(
  origins: readonly string[],
  origin: string | undefined,
  reply: { header(name: string, value: string): unknown },
): void {
  reply.header('vary', 'Origin')
  if (origin === undefined || !origins.includes(origin)) return
  reply.header('access-control-allow-origin', origin)
  reply.header('access-control-allow-methods', 'GET, POST, PUT, DELETE')
  reply.header(
    'access-control-allow-headers',
    'authorization, content-type, idempotency-key, last-event-id, prefer, range',
  )
  reply.header(
    'access-control-expose-headers',
    'content-location, etag, link, location, retry-after, x-request-id',
  )
}
