// Data worker thread: imports the recipe and makes the requested batches.

import { parentPort, workerData } from 'node:worker_threads'
import { messageOf, RestoreError } from '../../core/errors.ts'
import { importRecipe, type RecipeModule } from '../recipe/recipeModule.ts'
import { type ImageSpecs, type OpenImages, reopenImages } from '../samples/images.ts'
import type { HostBatch } from '../samples/samples.ts'
import type { PlannedBatch } from './batchPlan.ts'
import { type DecodedImages, type MadeBatch, makeBatch } from './makeBatch.ts'

export interface WorkerSetup {
  readonly module: RecipeModule
  readonly specs: ImageSpecs
  readonly unusable: OpenImages['unusable']
}

export interface BatchRequest {
  readonly plan: PlannedBatch
  readonly cached: DecodedImages
}

/** The batch of the request with the same number, or the error that prevented it. */
export type BatchReply = { readonly number: number } & (
  | MadeBatch
  | { readonly code: RestoreError['code']; readonly message: string }
)

const { module, specs, unusable } = workerData as WorkerSetup
const ready = Promise.all([importRecipe(module), reopenImages(specs)])
// The reply to the first request reports an error.
ready.catch(() => {})
const damaged = new Set<number>()

async function replyTo({ plan, cached }: BatchRequest): Promise<BatchReply> {
  const { number } = plan
  try {
    const [recipe, sources] = await ready
    return { number, ...(await makeBatch(recipe, plan, { sources, unusable, cached, damaged })) }
  } catch (error) {
    const message = messageOf(error)
    return { number, code: error instanceof RestoreError ? error.code : 'usage', message }
  }
}

parentPort?.on('message', (request: BatchRequest | undefined) => {
  // The thread exits on its own: terminating it inside libvips would abort the process.
  if (request === undefined) parentPort?.close()
  else {
    replyTo(request).then((reply) => {
      const buffers = 'batch' in reply ? Object.values(reply.batch).flatMap(bufferOf) : []
      parentPort?.postMessage(reply, buffers)
    })
  }
})

function bufferOf(value: HostBatch[string]): ArrayBuffer[] {
  return 'bytes' in value && value.bytes.buffer instanceof ArrayBuffer ? [value.bytes.buffer] : []
}
