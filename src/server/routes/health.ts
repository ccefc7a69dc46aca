// Whether the server lives, and whether it can take work.

import type { FastifyInstance } from 'fastify'
import { messageOf } from '../../core/errors.ts'
import type { JobQueue } from '../jobs/job.ts'
import type { Store } from '../store/store.ts'

export interface HealthRoutes {
  readonly queue: JobQueue
  readonly store: Store
  readonly draining: AbortSignal
}

export function healthRoutes(app: FastifyInstance, { queue, store, draining }: HealthRoutes): void {
  app.get('/healthz', { schema: { summary: 'Answers while the process lives' } }, async () => ({
    alive: true,
  }))

  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Tells whether the queue can be reached, the disk has room, and the server takes work',
      },
    },
    async (request, reply) => {
      const faults = [
        ...(draining.aborted ? ['draining'] : []),
        ...(await faultOf(request, 'queue', () => queue.check())),
        ...(await faultOf(request, 'store', () => store.check())),
      ]
      return reply.code(faults.length === 0 ? 200 : 503).send({ ready: faults.length === 0, faults })
    },
  )
}

/** Names what fails; the reason goes to the log. */
async function faultOf(
  { log }: { readonly log: FastifyInstance['log'] },
  name: string,
  check: () => Promise<void>,
): Promise<readonly string[]> {
  try {
    await check()
    return []
  } catch (error) {
    log.error({ reason: messageOf(error) }, `${name} fails`)
    return [name]
  }
}
