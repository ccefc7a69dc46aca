// Jobs of the server, and the queue that holds them until each has one result.

import type { EventEmitter } from 'node:events'
import type { ErrorCode } from '../../core/errors.ts'
import type { JobSettings } from '../protocol/settings.ts'

/** States of a job; the last three are final. */
export const jobStates = ['queued', 'running', 'succeeded', 'failed', 'canceled'] as const

export type JobState = (typeof jobStates)[number]

/** Whether a state is final. */
export function isFinal(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'canceled'
}

/** A picture to restore. */
export interface NewJob {
  readonly id: string
  /** Name of the key that owns the job; nobody else sees it. */
  readonly owner: string
  readonly settings: JobSettings
  /** Ids of the models that the settings select, joined by ' + '; 'auto' where the picture decides. */
  readonly model: string
  /** SHA-256 of the input file, its address in the store. */
  readonly input: string
  /** Address of the result in the store. */
  readonly address: string
  /** Higher ones of the same owner come first. */
  readonly priority: number
  /** Idempotency key of the request. */
  readonly requestKey: string | undefined
  /** Address that is told how the job ended. */
  readonly webhook: string | undefined
  /** Hash of the request's input and settings, which a repeated request must equal. */
  readonly requestHash: string
}

/** A job and its state; times in milliseconds since 1970. */
export interface Job extends NewJob {
  readonly state: JobState
  /** Grows with every change. */
  readonly version: number
  readonly attempts: number
  readonly createdMs: number
  readonly startedMs: number | undefined
  readonly finishedMs: number | undefined
  /** Tiles or steps that are done, of `total`. */
  readonly done: number
  readonly total: number
  readonly error: JobError | undefined
}

export interface JobError {
  readonly code: ErrorCode
  readonly message: string
}

/**
 * An attempt at a job. Its fencing number grows with every attempt, so that a late attempt, whose lease was taken
 * over, changes nothing any more.
 */
export interface Attempt {
  readonly job: Job
  readonly fence: number
}

/** Most unfinished jobs. */
export interface QueueLimits {
  /** Of all owners. */
  readonly total: number
  /** Of the job's owner. */
  readonly owner: number
}

export type Added =
  /** `isNew` is false for a request that was made before. */
  | { readonly kind: 'added'; readonly job: Job; readonly isNew: boolean }
  | { readonly kind: 'full' }
  /** The request key belongs to another request. */
  | { readonly kind: 'conflict' }

/** Numbers of jobs by state, and when the oldest queued one was made. */
export interface QueueCounts {
  readonly byState: Readonly<Record<JobState, number>>
  readonly oldestQueuedMs: number | undefined
}

/** Jobs that outlive processes. Every accepted job ends in one final state; a running one belongs to one attempt. */
export interface JobQueue {
  /** Adds a job, or finds the one of an earlier equal request. */
  add(job: NewJob, limits: QueueLimits): Promise<Added>
  /** Adds a job whose result is in the store already. */
  addSucceeded(job: NewJob): Promise<Added>
  /** Whether another job of an owner would be within the limits. */
  hasRoom(owner: string, limits: QueueLimits): Promise<boolean>
  find(owner: string, id: string): Promise<Job | undefined>
  /** Number of jobs that come before a queued one. */
  position(job: Job): Promise<number>
  /**
   * Starts an attempt at the next job, fair between owners, if there is one that needs these models alone. Expired
   * attempts are taken over.
   */
  claim(models?: readonly string[]): Promise<Attempt | undefined>
  /** Renews the lease and stores the progress. @returns whether the attempt still holds the job */
  renew(attempt: Attempt, progress: { readonly done: number; readonly total: number }): Promise<boolean>
  /** @returns whether the attempt still held the job */
  succeed(attempt: Attempt): Promise<boolean>
  /** Ends a job with an error. @returns whether the attempt still held the job */
  fail(attempt: Attempt, error: JobError): Promise<boolean>
  /** Puts a job back, to be tried again after a growing delay; fails it after the last attempt. */
  retry(attempt: Attempt, error: JobError): Promise<void>
  /** Puts back a job that is to be done elsewhere or later, which is no failed attempt. */
  release(attempt: Attempt): Promise<void>
  /** Ends a job that is not final yet. @returns the job, undefined if there is none */
  cancel(owner: string, id: string): Promise<Job | undefined>
  /** Forgets a final job. @returns whether it was there */
  remove(owner: string, id: string): Promise<boolean>
  /** Resolves when a job has another version, or after `timeoutMs`. */
  changed(job: Job, timeoutMs: number, signal?: AbortSignal): Promise<void>
  /** Resolves when a job may be waiting, or after `timeoutMs`. */
  available(timeoutMs: number, signal: AbortSignal): Promise<void>
  /**
   * Takes a final job whose webhook is due, and delays its next attempt; without a delay left, this one is the last.
   */
  claimWebhook(delaysMs: readonly number[]): Promise<Job | undefined>
  /** Ends the attempts at a job's webhook. */
  settleWebhook(job: Job): Promise<void>
  /** Whether a job of an owner refers to a result. */
  refersTo(owner: string, address: string): Promise<boolean>
  /** Inputs and results that jobs refer to. */
  references(): Promise<{ readonly inputs: ReadonlySet<string>; readonly results: ReadonlySet<string> }>
  /** Forgets final jobs that ended before a time. */
  sweep(beforeMs: number): Promise<void>
  counts(): Promise<QueueCounts>
  /** @throws an error if the queue cannot be reached */
  check(): Promise<void>
  close(): Promise<void>
}

/** Those models of jobs that a worker with some models can run. */
export function runnable(asked: readonly string[], models: readonly string[] | undefined): readonly string[] {
  if (!models) return asked
  return asked.filter((model) => model.split(' + ').every((part) => models.includes(part)))
}

/** Why a job has failed whose attempts did not end. */
export const interrupted =
  'restore: expected an attempt that ends, got several that were interrupted; try a smaller picture, or another machine'

/** Waits for an event, at most for a time. */
export function waitForEvent(
  events: EventEmitter,
  name: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      events.off(name, end)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, timeoutMs)
    events.on(name, end)
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
  })
}
