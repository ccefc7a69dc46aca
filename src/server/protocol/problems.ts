// Errors as problem details (RFC 9457).

import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { errorCodes, messageOf, RestoreError } from '../../core/errors.ts'

/** Problems that the protocol adds to the codes of {@link errorCodes}. */
const problemKinds = {
  malformed: { status: 400, title: 'the form cannot be read to its end' },
  unauthorized: { status: 401, title: 'an API key is missing or unknown' },
  forbidden: { status: 403, title: 'the request is not allowed' },
  'not-found': { status: 404, title: 'there is no such thing' },
  conflict: { status: 409, title: 'the state of the job does not allow this' },
  gone: { status: 410, title: 'the result was deleted after the time results are kept' },
  'too-large': { status: 413, title: 'the body has too many bytes' },
  'unsupported-type': { status: 415, title: 'the body is neither a picture nor a form with one' },
  unreachable: { status: 422, title: 'the address of a picture cannot be fetched' },
  contradiction: { status: 422, title: 'settings exclude each other' },
  'other-request': { status: 422, title: 'the id or key was used for another request' },
  busy: { status: 429, title: 'too many jobs are waiting' },
  draining: { status: 503, title: 'the server is being stopped' },
} as const

type ProblemKind = keyof typeof problemKinds

/** A failure of a request that is not one of restoring. */
export class ProblemError extends Error {
  readonly kind: ProblemKind
  readonly retryAfterSeconds: number | undefined

  constructor(kind: ProblemKind, detail: string, { retryAfterSeconds }: { retryAfterSeconds?: number } = {}) {
    super(detail)
    this.kind = kind
    this.retryAfterSeconds = retryAfterSeconds
  }
}

export const problemSchema = z
  .object({
    type: z.string().describe('Address of the explanation.'),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().describe('Where, what was expected, what came, what to do.'),
    code: z.string().describe('The problem, for programs.'),
  })
  .meta({ id: 'Problem' })

/** Every problem, for the documentation. */
export const problems: readonly { code: string; status: number; title: string }[] = [
  ...Object.entries(errorCodes).map(([code, { status, meaning }]) => ({ code, status, title: meaning })),
  ...Object.entries(problemKinds).map(([code, kind]) => ({ code, ...kind })),
].toSorted((a, b) => a.status - b.status)

/** Builds the details of an error; what nobody expected is not told to strangers. */
export function problemOf(error: unknown): z.infer<typeof problemSchema> {
  const describe = (code: string, status: number, title: string, detail: string) => ({
    type: `/docs#${code}`,
    ...{ title, status, detail, code },
  })
  if (error instanceof ProblemError) {
    const { status, title } = problemKinds[error.kind]
    return describe(error.kind, status, title, error.message)
  }
  if (error instanceof RestoreError) {
    const { status, meaning } = errorCodes[error.code]
    return describe(error.code, status, meaning, error.message)
  }
  const status = statusOf(error)
  if (status === 413) return problemOf(new ProblemError('too-large', messageOf(error)))
  if (status === 415) return problemOf(new ProblemError('unsupported-type', messageOf(error)))
  if (status >= 400 && status < 500)
    return describe('usage', status, errorCodes.usage.meaning, messageOf(error))
  return describe('crash', 500, errorCodes.crash.meaning, 'the server failed; its log has the reason')
}

function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 500
  return typeof status === 'number' ? status : 500
}

/** Answers with a problem. */
export function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const problem = problemOf(error)
  const wait = error instanceof ProblemError ? error.retryAfterSeconds : undefined
  if (wait !== undefined) reply.header('retry-after', wait)
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem))
}
