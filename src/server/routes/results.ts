// Results as responses, whole or in parts (RFC 9110, sections 13 and 14).

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RestoreError } from '../../core/errors.ts'
import type { Job } from '../jobs/job.ts'
import { ProblemError } from '../protocol/problems.ts'
import { mediaTypes } from '../protocol/settings.ts'
import type { ByteRange, Store } from '../store/store.ts'

/** Sends the result of a job, or why there is none. */
export async function sendResult(
  request: FastifyRequest,
  reply: FastifyReply,
  { job, store }: { readonly job: Job; readonly store: Store },
): Promise<FastifyReply> {
  if (job.state === 'failed' && job.error) throw new RestoreError(job.error.code, job.error.message)
  if (job.state !== 'succeeded')
    throw new ProblemError(
      'conflict',
      `${job.id}: expected a job that succeeded, got one that is ${job.state}`,
    )
  const found = await store.find(job.address)
  if (!found)
    throw new ProblemError('gone', `${job.id}: expected a stored result, got none; send the picture again`)
  const { format, bytes, sha256 } = found.report
  const etag = `"${sha256}"`
  reply
    .header('etag', etag)
    .header('accept-ranges', 'bytes')
    .header('cache-control', 'private, no-cache')
    .header('content-location', `/v1/jobs/${job.id}/result`)
    .header('link', `</v1/jobs/${job.id}/report>; rel="describedby"`)
  if (request.headers['if-none-match']?.includes(etag)) return reply.code(304).send()
  reply.type(mediaTypes[format])
  const ifRange = request.headers['if-range']
  const isPart = request.headers.range !== undefined && (ifRange === undefined || ifRange === etag)
  const range = isPart ? rangeOf(request.headers.range, bytes) : undefined
  if (range === 'outside') return reply.code(416).header('content-range', `bytes */${bytes}`).send()
  if (!range) return reply.header('content-length', bytes).send(found.open())
  return reply
    .code(206)
    .header('content-range', `bytes ${range.start}-${range.end}/${bytes}`)
    .header('content-length', range.end - range.start + 1)
    .send(found.open(range))
}

/** One range of a file; undefined for several and for other units, which are ignored. */
function rangeOf(header = '', size: number): ByteRange | 'outside' | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'outside' : { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start >= size || start > end ? 'outside' : { start, end }
}
