// The models that a server can run.

import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { licenses } from '../../models/modelCard.ts'
import { defaultTasksOf } from '../../models/tasks.ts'
import { cards } from '../../registry/cards.ts'
import { isAvailable } from '../../runtime/resolveModel.ts'

const modelSchema = z
  .object({
    id: z.string(),
    title: z.string(),
    task: z.string(),
    scale: z.number().describe('Output side divided by input side.'),
    defaultFor: z.array(z.string()).describe('Tasks that pick this model.'),
    license: z.string(),
    commercial: z.boolean().describe('Whether the license allows commercial use.'),
    secondsPerMegapixel: z.number().optional(),
  })
  .meta({ id: 'Model' })

export function modelRoutes(server: FastifyInstance): void {
  server.withTypeProvider<ZodTypeProvider>().get(
    '/v1/models',
    {
      schema: {
        summary: 'Lists the models',
        response: { 200: z.object({ models: z.array(modelSchema) }) },
      },
    },
    async () => ({
      models: cards
        .filter(({ id, task }) => task !== 'detect' && isAvailable(id))
        .map(({ id, title, task, scale, license, secondsPerMegapixel }) => ({
          ...{ id, title, task, scale, secondsPerMegapixel },
          defaultFor: [...defaultTasksOf(id)],
          license: licenses[license].title,
          commercial: licenses[license].isCommercial === true,
        })),
    }),
  )
}
