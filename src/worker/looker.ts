// Entry point of a thread that tells what is wrong with pictures, started by src/server/jobs/looker.ts.

import { parentPort, workerData } from 'node:worker_threads'
import type { OverrideRequest } from '../auto/plan/overrides.ts'
import { type AutoRestorer, createAutoRestorer } from '../runtime/autoRestorer.ts'
import { failureOf } from '../runtime/session/runtimeErrors.ts'
import type { LookerThreadOptions, LookReply, LookRequest } from '../server/jobs/looker.ts'

const { device } = workerData as LookerThreadOptions

/** The network stays open for requests that treat the same damage. */
let open: { readonly key: string; readonly restorer: AutoRestorer } | undefined

async function restorerFor(overrides: OverrideRequest): Promise<AutoRestorer> {
  const key = JSON.stringify(overrides)
  if (open?.key === key) return open.restorer
  await open?.restorer.close()
  open = undefined
  const restorer = await createAutoRestorer({ ...overrides, device })
  open = { key, restorer }
  return restorer
}

async function answer({ input, overrides, options }: LookRequest): Promise<LookReply> {
  try {
    const restorer = await restorerFor(overrides)
    return { plan: await restorer.plan(input, options) }
  } catch (error) {
    const { code, message } = failureOf(error)
    return { code, message }
  }
}

parentPort?.on('message', async (request: LookRequest) => parentPort?.postMessage(await answer(request)))
