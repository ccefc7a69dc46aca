// What the OpenAPI document says of a route beyond its schemas: its name, its problems, and bodies and results that are
// no JSON.

import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'

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
  const { response = method === 'delete' ? deleted : answered, produces = [], consumes } = schema
  const files = produces.map((type) => [type, { schema: fileSchema }])
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
      ...(consumes ? { body: bodyOf(consumes) } : {}),
      ...(isApi ? {} : { security: [] }),
    },
  }
}

const fileSchema = { type: 'string', format: 'binary' }

/** A form with a picture, or with several where it is the only body that is taken. */
function bodyOf(types: readonly string[]): object {
  const pictures =
    types.length > 1 ? { picture: fileSchema } : { pictures: { type: 'array', items: fileSchema } }
  const settings = { type: 'string', description: 'Settings as JSON; they precede those of the query.' }
  const form = {
    type: 'object',
    properties: { ...pictures, settings },
    required: Object.keys(pictures),
  }
  const schemas = types.map((type) => [type, { schema: type === 'multipart/form-data' ? form : fileSchema }])
  return { content: Object.fromEntries(schemas) }
}

/** Completes the document: where the query may name a picture by its address, there need not be a body. */
export const describeApi: typeof jsonSchemaTransformObject = (input) => {
  const document = jsonSchemaTransformObject(input) as Api
  for (const operation of Object.values(document.paths).flatMap((methods) => Object.values(methods)))
    if (operation.requestBody && operation.parameters?.some(({ name }) => name === 'url'))
      operation.requestBody.required = false
  return document as ReturnType<typeof jsonSchemaTransformObject>
}

interface Api {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

interface Operation {
  readonly requestBody?: { required: boolean }
  readonly parameters?: readonly { readonly name: string }[]
}

const answered = { 200: { description: 'The answer, as JSON.' } }
const deleted = { 204: { description: 'It is forgotten.' } }

/** A name for generated clients, such as postJobsIdCancel. */
function nameOf(method: string, url: string): string {
  const words = url.split(/[/:]+/).filter((word) => word !== '' && word !== 'v1')
  return method + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
}
