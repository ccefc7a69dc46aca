// What can be known before step 0: that the recipe fits together, that its data can be read, what a step takes.

import { existsSync } from 'node:fs'
import { RestoreError } from '../core/errors.ts'
import { group } from '../torch/group.ts'
import type { Loader } from './loader/loader.ts'
import { addAllGradients } from './loop.ts'
import { type Recipe, rateAt } from './recipe/recipe.ts'
import { type Images, type OpenImages, openImages } from './samples/images.ts'
import type { Phase } from './samples/samples.ts'
import type { TrainingRun } from './trainingRun.ts'

function wrong(message: string): RestoreError {
  return new RestoreError('usage', `recipe: ${message}`)
}

/** Refuses numbers that make no sense. */
export function checkRecipe(recipe: Recipe): void {
  const { network, data, steps, saveEvery, logEvery, accumulate = 1, validate } = recipe
  const counts = {
    steps,
    saveEvery,
    logEvery,
    accumulate,
    ...(validate ? { 'validate.every': validate.every } : {}),
  }
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1)
      throw wrong(`expected ${name} to be a whole number from 1, got ${value}`)
  }
  const { size } = group()
  if (accumulate % size !== 0)
    throw wrong(
      `expected accumulate to be a multiple of the ${size} processes, which share the batches of a step, got ${accumulate}; --set accumulate=${size} would do`,
    )
  if (data.phases.length === 0) throw wrong('expected at least one phase in data.phases, got none')
  const { multipleOf = 1 } = network
  for (const [i, { crop, batch, steps: length }] of data.phases.entries()) {
    const isWhole = [crop, batch, length].every((value) => Number.isInteger(value) && value >= 1)
    if (!isWhole) {
      const got = `crop ${crop}, batch ${batch}, steps ${length}`
      throw wrong(`expected crop, batch and steps of data.phases.${i} to be whole numbers from 1, got ${got}`)
    }
    if (data.frame !== undefined && crop > data.frame)
      throw wrong(`expected data.phases.${i}.crop to be at most data.frame, ${data.frame}, got ${crop}`)
    if (crop % multipleOf !== 0) {
      const near = Math.max(Math.round(crop / multipleOf), 1) * multipleOf
      throw wrong(
        `expected data.phases.${i}.crop to be a multiple of ${multipleOf}, got ${crop}; ${near} would do`,
      )
    }
  }
  for (let i = 0; i <= 16; i++) {
    const step = Math.floor(((steps - 1) * i) / 16)
    const rate = rateAt(recipe, step)
    if (!Number.isFinite(rate) || rate < 0)
      throw wrong(`expected a learning rate from 0 at step ${step}, got ${rate}`)
  }
}

/** Opens the images of a recipe and of its validation; refuses those that are unreadable, too small or do not match. */
export async function openTrainingImages(
  { data, network, validate }: Recipe,
  onProgress: (text: string) => void,
): Promise<{ readonly images: OpenImages; readonly validation: OpenImages | undefined }> {
  const largest = Math.max(...data.phases.map(({ crop }) => crop)) * data.images.scale
  const look = (what: string) => (done: number, total: number) =>
    onProgress(`looking at ${what} ${done}/${total}`)
  checkRoot('data.images', data.images, '--data FOLDER')
  if (validate) checkRoot('validate.images', validate.images, '--set validate.images.root=FOLDER')
  const images = await openImages(data.images, {
    minimumPx: data.frame === undefined ? largest : 1,
    onProgress: look('image'),
  })
  const { multipleOf = 1 } = network
  const validation =
    validate &&
    (await openImages(validate.images, {
      minimumPx: multipleOf * validate.images.scale,
      onProgress: look('validation image'),
    }))
  return { images, validation }
}

/** Refuses pictures that are not there before others are looked at. */
function checkRoot(field: string, { root }: Images, option: string): void {
  if (existsSync(root)) return
  throw new RestoreError(
    'input',
    `${field}: expected pictures in ${root}, which does not exist; give their folder with ${option}`,
  )
}

export interface TriedPhase extends Phase {
  readonly secondsPerStep: number
  readonly peakBytes: number
  readonly text: string
}

/** One step of every phase, without an update: what each takes in time and memory. */
export async function tryPhases(
  run: TrainingRun,
  openLoader: (fromStep: number) => Loader,
  onProgress: (text: string) => void,
): Promise<readonly TriedPhase[]> {
  const { phases } = run.recipe.data
  const tried: TriedPhase[] = []
  let start = 0
  for (const [i, phase] of phases.entries()) {
    if (start >= run.recipe.steps) break
    onProgress(`phase ${i + 1} of ${phases.length}: batch ${phase.batch}, crop ${phase.crop}`)
    const loader = openLoader(start)
    try {
      const loaded = await loader.next()
      const before = performance.now()
      const losses = addAllGradients(run, [loaded])
      run.optimizer.zeroGrad()
      const secondsPerStep =
        ((performance.now() - before) / 1000) * ((run.recipe.accumulate ?? 1) / group().size)
      const peakBytes = process.resourceUsage().maxRSS * 1024
      const loss = Object.values(losses).reduce((sum, value) => sum + value, 0)
      const text = `batch ${phase.batch}, crop ${phase.crop}: ${secondsPerStep.toFixed(2)} s a step, ${(peakBytes / 1e9).toFixed(2)} GB at most so far, loss ${loss.toPrecision(4)}`
      tried.push({ ...phase, secondsPerStep, peakBytes, text })
    } finally {
      loader.close()
    }
    start += phase.steps
  }
  return tried
}
