// A data worker: imports the recipe for its `data` and makes the batches it is told to.

import { parentPort, workerData } from 'node:worker_threads'
import { RestoreError } from '../../core/errors.ts'
import { importRecipe, type RecipeModule } from '../recipeModule.ts'
import type { Bitmap, ImageItem } from './images.ts'
import { makeBatch } from './makeBatch.ts'
import type { PlannedBatch } from './plan.ts'
import type { HostBatch } from './samples.ts'

export interface Job extends PlannedBatch {
  readonly images: readonly ImageItem[]
  readonly known: ReadonlyMap<string, Bitmap>
}

export type Answer =
  | {
      readonly number: number
      readonly batch: HostBatch
      readonly decoded: ReadonlyMap<string, Bitmap>
      /** Time that making it took. */
      readonly seconds: number
    }
  | { readonly number: number; readonly code: RestoreError['code']; readonly message: string }

const recipe = importRecipe(workerData as RecipeModule)

async function answer(job: Job): Promise<Answer> {
  const { number } = job
  try {
    const started = performance.now()
    const made = await makeBatch(await recipe, job, job.known)
    return { number, ...made, seconds: (performance.now() - started) / 1000 }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
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
