// A data worker: imports the recipe for its `data` and makes the batches it is told to.

import { parentPort, workerData } from 'node:worker_threads'
import { messageOf, RestoreError } from '../../core/errors.ts'
import { importRecipe, type RecipeModule } from '../recipe/recipeModule.ts'
import { type ImageSpecs, reopenImages } from '../samples/images.ts'
import type { HostBatch } from '../samples/samples.ts'
import type { PlannedBatch } from './batchPlan.ts'
import { type Decoded, type MadeBatch, makeBatch } from './makeBatch.ts'

export interface WorkerSetup {
  readonly module: RecipeModule
  readonly specs: ImageSpecs
}

export interface Job {
  readonly plan: PlannedBatch
  readonly known: Decoded
}

export type Answer = { readonly number: number } & (
  | MadeBatch
  | { readonly code: RestoreError['code']; readonly message: string }
)

const { module, specs } = workerData as WorkerSetup
const ready = Promise.all([importRecipe(module), reopenImages(specs)])
// An error is told with the first batch.
ready.catch(() => {})

async function answer({ plan, known }: Job): Promise<Answer> {
  const { number } = plan
  try {
    const [recipe, sources] = await ready
    return { number, ...(await makeBatch(recipe, plan, { sources, known })) }
  } catch (error) {
    const message = messageOf(error)
    return { number, code: error instanceof RestoreError ? error.code : 'usage', message }
  }
}

parentPort?.on('message', (job: Job | undefined) => {
  // Leaves by itself, since a thread that is terminated inside libvips takes the process with it.
  if (job === undefined) parentPort?.close()
  else {
    answer(job).then((made) => {
      const buffers = 'batch' in made ? Object.values(made.batch).flatMap(bufferOf) : []
      parentPort?.postMessage(made, buffers)
    })
  }
})

function bufferOf(value: HostBatch[string]): ArrayBuffer[] {
  return 'bytes' in value && value.bytes.buffer instanceof ArrayBuffer ? [value.bytes.buffer] : []
}
