// A job as its owner sees it.

import { z } from 'zod'
import type { ServerJob } from '../../client/protocol.ts'
import { isFinal, type Job, jobStates } from '../jobs/job.ts'
import { settingsSchema } from '../protocol/settings.ts'

export const jobSchema = z
  .object({
    id: z.string(),
    state: z.enum(jobStates),
    model: z.string(),
    settings: settingsSchema,
    position: z.number().int().optional().describe('Jobs before this one, while it is queued.'),
    progress: z
      .object({
        done: z.number().int().describe('Tiles or steps that are done.'),
        total: z.number().int(),
        secondsLeft: z.number().optional(),
      })
      .optional(),
    attempts: z.number().int(),
    created: z.string().describe('ISO 8601.'),
    started: z.string().optional(),
    finished: z.string().optional(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
    links: z.object({
      self: z.string(),
      events: z.string(),
      result: z.string().optional(),
      report: z.string().optional(),
    }),
  })
  .meta({ id: 'Job' })

/** Describes a job. */
export function viewOf(job: Job, position?: number): ServerJob {
  const { id, state, model, settings, attempts, createdMs, startedMs, finishedMs, error } = job
  const self = `/v1/jobs/${id}`
  const date = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString())
  const isDone = state === 'succeeded'
  return {
    ...{ id, state, model, settings, attempts },
    position: state === 'queued' ? position : undefined,
    progress: state === 'running' ? progressOf(job) : undefined,
    created: new Date(createdMs).toISOString(),
    started: date(startedMs),
    finished: isFinal(state) ? date(finishedMs) : undefined,
    error,
    links: {
      self,
      events: `${self}/events`,
      ...(isDone ? { result: `${self}/result`, report: `${self}/report` } : {}),
    },
  }
}

function progressOf({ done, total, startedMs = 0 }: Job) {
  if (done === 0) return { done, total }
  const seconds = ((Date.now() - startedMs) / 1000 / done) * (total - done)
  return { done, total, secondsLeft: Math.round(seconds * 10) / 10 }
}
