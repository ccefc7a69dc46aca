// What the OpenAPI document says of a route beyond its schemas: its name, its problems, and results that are no JSON.

import { jsonSchemaTransform } from 'fastify-type-provider-zod'

const problem = {
  description: 'A problem.',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

/** Describes a route for OpenAPI. */
export const describeRoute: typeof jsonSchemaTransform = (route) => {
  const { schema, url } = jsonSchemaTransform(route)
  if (schema.hide) return { schema, url }
  const method = String(route.route.method).toLowerCase()
  const isApi = url.startsWith('/v1/')
  const { response = method === 'delete' ? deleted : answered, produces = [] } = schema
  const files = produces.map((type) => [type, { schema: { type: 'string', format: 'binary' } }])
  const described = {
    ...(response as object),
    ...(files.length > 0 ? { 200: { description: 'The file.', content: Object.fromEntries(files) } } : {}),
    ...(isApi ? { '4xx': problem, '5xx': problem } : {}),
  }
  const { produces: _, ...rest } = schema
  return {
    url,
    schema: {
      ...{ ...rest, response: described, operationId: nameOf(method, url) },
      ...(isApi ? {} : { security: [] }),
    },
  }
}

const answered = { 200: { description: 'The answer, as JSON.' } }
const deleted = { 204: { description: 'It is forgotten.' } }

/** A name for generated clients, such as postJobsIdCancel. */
function nameOf(method: string, url: string): string {
  const words = url.split(/[/:]+/).filter((word) => word !== '' && word !== 'v1')
  return method + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
}
