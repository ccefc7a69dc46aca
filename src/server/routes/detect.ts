// What is wrong with a picture, and what would be done about it.

import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { ServerPlan } from '../../client/protocol.ts'
import { damageIds, noiseForms } from '../../models/damages.ts'
import type { Sources } from '../access/sources.ts'
import type { Intake } from '../jobs/intake.ts'
import type { Looker } from '../jobs/looker.ts'
import { checkLook } from '../jobs/selection.ts'
import { problemSchema } from '../protocol/problems.ts'
import { lookSchema, overridesOf } from '../protocol/settings.ts'
import type { Store } from '../store/store.ts'
import { uploadOf } from './upload.ts'

export interface DetectRoutes {
  readonly store: Store
  readonly intake: Intake
  readonly looker: Looker
  readonly sources: Sources | undefined
  /** Largest picture to decode, in pixels. */
  readonly pixelLimit: number
  readonly draining: AbortSignal
}

/** A list that nobody changes. */
const listOf = <T extends z.ZodType>(schema: T) => z.array(schema).readonly()

const damage = z.enum(damageIds as [string, ...string[]])

const planSchema = z
  .object({
    findings: listOf(
      z.object({
        damage,
        severity: z.number().describe('From faint, 0, to severe, 1.'),
        confidence: z.number().describe('Probability that it is there, 0 to 1.'),
        by: listOf(z.enum(['network', 'estimates', 'caller'])).describe('Who found it.'),
        form: z.enum(noiseForms).optional().describe('Form of noise.'),
      }),
    ),
    steps: listOf(
      z.object({
        damages: listOf(damage),
        task: z.string(),
        models: listOf(z.string()).describe('In the order in which they are tried.'),
        strength: z.number(),
      }),
    ).describe('What task auto would do, in order.'),
    untreated: listOf(
      z.object({
        damage,
        reason: z.string(),
        isOffered: z.boolean().describe('Whether the setting `damage` would treat it.'),
      }),
    ),
  })
  .meta({ id: 'Plan' }) satisfies z.ZodType<ServerPlan>

export function detectRoutes(server: FastifyInstance, routes: DetectRoutes): void {
  const { store, intake, looker, sources, pixelLimit, draining } = routes
  server.withTypeProvider<ZodTypeProvider>().post(
    '/v1/detect',
    {
      schema: {
        summary: 'Tells what is wrong with a picture, and what task auto would do',
        description: 'The body is the picture, or a form with it and a field `settings`.',
        consumes: ['application/octet-stream', 'image/*', 'multipart/form-data'],
        querystring: lookSchema.extend({
          url: z
            .url()
            .optional()
            .describe('Address of the picture instead of a body, from hosts that the server lists.'),
        }),
        response: { 200: planSchema, '4xx': problemSchema, '5xx': problemSchema },
      },
    },
    async (request, reply) => {
      looker.checkRoom()
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const { stream, settings: read } = await uploadOf(request, { schema: lookSchema, sources })
      const { picture, settings } = await intake.accept(stream, () => {
        const asked = read()
        checkLook(asked)
        return asked
      })
      const { page, strength } = settings
      const options = { name: 'picture', page, pixelLimit, strength }
      const look = { input: await store.input(picture.input), overrides: overridesOf(settings), options }
      return looker.look(look, AbortSignal.any([gone.signal, draining]))
    },
  )
}
