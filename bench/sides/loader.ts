// Our side of loader: seconds per batch from one worker, alone or with a training step; writes the share of
// the time spent waiting for data.
// usage: loader THREADS FOLDER CROP BATCH alone|step OUT

import { writeFileSync } from 'node:fs'
import { extname } from 'node:path'
import { scope } from '../../src/torch/backend.ts'
import { setThreads } from '../../src/torch/device.ts'
import { clipGradNorm } from '../../src/torch/optim.ts'
import { Loader } from '../../src/train/loader/loader.ts'
import { addAllGradients } from '../../src/train/loop.ts'
import { importRecipe } from '../../src/train/recipe/recipeModule.ts'
import { openImages } from '../../src/train/samples/images.ts'
import { createRun } from '../../src/train/trainingRun.ts'
import { report } from '../measure.ts'

const [, , threads, folder = '', crop = '', batch = '', mode, out = ''] = process.argv
setThreads(Number(threads))
const module = {
  url: new URL(`./loaderRecipe${extname(import.meta.url)}`, import.meta.url).href,
  settings: [
    ['data.images.root', folder],
    ['data.phases.0.crop', crop],
    ['data.phases.0.batch', batch],
  ],
} as const
const recipe = await importRecipe(module)
const images = await openImages(recipe.data.images)
const run = mode === 'step' ? createRun(recipe, 'cpu') : undefined
const loader = new Loader({ recipe, images, fromStep: 0, module, workers: 1, cacheBytes: 1e9 })

async function iterate(): Promise<void> {
  const loaded = await loader.next()
  if (!run) return
  run.optimizer.zeroGrad()
  addAllGradients(run, [loaded])
  scope(() => {
    clipGradNorm(run.trained, 0.01)
    run.optimizer.step(3e-4)
  })
}

const [warmups, runs] = run ? [3, 10] : [100, 200]
for (let i = 0; i < warmups; i++) await iterate()
const waited = loader.waitedSeconds
const started = performance.now()
for (let i = 0; i < runs; i++) await iterate()
const seconds = (performance.now() - started) / 1000
writeFileSync(out, String((loader.waitedSeconds - waited) / seconds))
loader.close()
report({ value: seconds / runs })
