// Takes the picture and the settings out of a request: a body that is the picture, or a form with both.

import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { messageOf, RestoreError } from '../../core/errors.ts'
import type { Sources } from '../access/sources.ts'
import { ProblemError, problemOf } from '../protocol/problems.ts'
import { mediaTypes, type Settings } from '../protocol/settings.ts'

/** A picture on its way, and the settings, which are known once it has been read. */
export interface Upload<T> {
  readonly stream: Readable
  readonly settings: () => T
}

export interface UploadOptions<T> {
  /** Settings that the request takes. */
  readonly schema: z.ZodType<T>
  /** Where pictures are taken from by address; undefined for nowhere. */
  readonly sources: Sources | undefined
}

/**
 * @throws ProblemError 'unsupported-type', 'forbidden', 'unreachable'
 * @throws RestoreError 'usage' for a form without a picture
 */
export async function uploadOf<T>(
  request: FastifyRequest,
  { schema, sources }: UploadOptions<T>,
): Promise<Upload<T>> {
  const { priority: _, webhook: __, ...asked } = request.query as Record<string, unknown>
  const settings = (given: object) => checkSettings(schema, given)
  if (request.isMultipart()) {
    const form = await fromForm(request)
    return { stream: form.stream, settings: () => settings({ ...asked, ...form.settings() }) }
  }
  const { url, ...rest } = asked
  if (url !== undefined) {
    const checked = settings(rest)
    if (sources) return { stream: quiet(await sources.open(String(url))), settings: () => checked }
    throw new ProblemError(
      'forbidden',
      'url: expected a picture as the body, as this server takes none by address',
    )
  }
  const type = request.headers['content-type'] ?? ''
  if (!/^(?:image\/|application\/octet-stream)/.test(type))
    throw new ProblemError(
      'unsupported-type',
      `content-type: expected a picture such as image/jpeg, application/octet-stream or multipart/form-data, got ${type || 'none'}`,
    )
  const checked = settings(asked)
  return { stream: request.body as Readable, settings: () => checked }
}

/** Validates settings. @throws RestoreError 'usage' */
export function checkSettings<T>(schema: z.ZodType<T>, given: object): T {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = ['settings', ...(issue?.path ?? [])].join('.')
  throw new RestoreError('usage', `${where}: ${issue?.message ?? 'not valid'}; /docs lists all settings`)
}

/** The first file of a form; fields may follow it. */
async function fromForm(request: FastifyRequest): Promise<{ stream: Readable; settings: () => object }> {
  const fields: Record<string, unknown> = {}
  const parts = request.parts({ limits: { files: 1, fields: 20, fieldSize: 65_536 } })
  const read = (part: { readonly fieldname: string; readonly value: unknown }) => {
    fields[part.fieldname] = part.value
  }
  const settings = () => parseSettings(fields.settings)
  for (let next = await parts.next(); !next.done; next = await parts.next()) {
    const part = next.value
    if (part.type === 'field') {
      read(part)
      continue
    }
    const stream = quiet(new PassThrough())
    const rest = async () => {
      await pipeline(part.file, stream, { end: false })
      for await (const later of parts) if (later.type === 'field') read(later)
      stream.end()
    }
    rest().catch((error) => stream.destroy(formProblem(error)))
    return { stream, settings }
  }
  throw new RestoreError('usage', 'form: expected a part with a picture, got none; send it as a file')
}

/** A stream that may fail before anyone reads it: whoever does meets the error, which nobody else has to handle. */
function quiet<T extends Readable>(stream: T): T {
  return stream.on('error', () => {})
}

/** Why a form cannot be read. */
function formProblem(error: unknown): Error {
  const isTooLarge = problemOf(error).status === 413
  return new ProblemError(
    isTooLarge ? 'too-large' : 'malformed',
    `form: cannot be read (${messageOf(error)})`,
  )
}

export function parseSettings(text: unknown): object {
  if (text === undefined) return {}
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(String(text)))
  } catch {
    throw new RestoreError(
      'usage',
      `settings: expected a JSON object such as {"task":"denoise"}, got other text`,
    )
  }
}

/** Settings in which the first format that a client accepts stands for one that is not named. */
export function withAccepted(settings: Settings, accept = ''): Settings {
  const types = accept.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase())
  const formats = Object.entries(mediaTypes) as [keyof typeof mediaTypes, string][]
  const [format] = types.flatMap((type) => formats.find(([, media]) => media === type)?.[0] ?? [])
  return format ? { format, ...settings } : settings
}
