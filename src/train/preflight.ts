// Checks before step 0: consistency of the recipe, readability of its data, time and memory of a step.

import { existsSync } from 'node:fs'
import { RestoreError } from '../core/errors.ts'
import { averageNumbers, group } from '../torch/group.ts'
import type { Loader } from './loader/loader.ts'
import { addAllGradients } from './loop.ts'
import { type Recipe, rateAt } from './recipe/recipe.ts'
import { type Images, type OpenImages, openImages } from './samples/images.ts'
import type { Phase } from './samples/samples.ts'
import type { OnTrainingProgress } from './trainingProgress.ts'
import type { TrainingRun } from './trainingRun.ts'

function invalid(message: string): RestoreError {
  return new RestoreError('usage', `recipe: ${message}`)
}

/**
 * Checks the numbers of a recipe before anything is opened.
 *
 * @throws RestoreError `usage`
 */
export function checkRecipe(recipe: Recipe): void {
  const { network, data, steps, saveEvery, logEvery, accumulate = 1, validate } = recipe
  const counts = {
    steps,
    saveEvery,
    logEvery,
    accumulate,
    ...(validate ? { 'validate.every': validate.every } : {}),
    ...(data.echo ? { 'data.echo.times': data.echo.times, 'data.echo.apart': data.echo.apart } : {}),
  }
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1)
      throw invalid(`expected ${name} to be a whole number from 1, got ${value}`)
  }
  const { size } = group()
  if (accumulate % size !== 0)
    throw invalid(
      `expected accumulate to be a multiple of the ${size} processes, which share the batches of a step, got ${accumulate}; try --set accumulate=${size}`,
    )
  if (data.phases.length === 0) throw invalid('expected at least one phase in data.phases, got none')
  const { multipleOf = 1 } = network
  for (const [i, { crop, batch, steps: length }] of data.phases.entries()) {
    const isWhole = [crop, batch, length].every((value) => Number.isInteger(value) && value >= 1)
    if (!isWhole) {
      const got = `crop ${crop}, batch ${batch}, steps ${length}`
      throw invalid(
        `expected crop, batch and steps of data.phases.${i} to be whole numbers from 1, got ${got}`,
      )
    }
    if (data.frame !== undefined && crop > data.frame)
      throw invalid(`expected data.phases.${i}.crop to be at most data.frame, ${data.frame}, got ${crop}`)
    if (crop % multipleOf !== 0) {
      const nearest = Math.max(Math.round(crop / multipleOf), 1) * multipleOf
      throw invalid(
        `expected data.phases.${i}.crop to be a multiple of ${multipleOf}, got ${crop}; try ${nearest}`,
      )
    }
  }
  for (let i = 0; i <= 16; i++) {
    const step = Math.floor(((steps - 1) * i) / 16)
    const rate = rateAt(recipe, step)
    if (!Number.isFinite(rate) || rate < 0)
      throw invalid(`expected a learning rate from 0 at step ${step}, got ${rate}`)
  }
}

/**
 * Opens the images of a recipe and of its validation.
 *
 * @param unusable - whether images that are damaged, too small or unlike their partners are an error or left out
 * @throws RestoreError `input` for images that are missing or unpaired, and for unusable ones
 */
export async function openTrainingImages(
  { data, network, validate }: Recipe,
  onProgress: OnTrainingProgress,
  unusable: OpenImages['unusable'] = 'refuse',
): Promise<{ readonly images: OpenImages; readonly validation: OpenImages | undefined }> {
  const largest = Math.max(...data.phases.map(({ crop }) => crop)) * data.images.scale
  const showCount = (what: string) => (done: number, total: number) =>
    onProgress({ phase: 'open', done, total, text: `checking ${what} ${done}/${total}` })
  checkRoot('data.images', data.images, '--data FOLDER')
  if (validate) checkRoot('validate.images', validate.images, '--set validate.images.root=FOLDER')
  const images = await openImages(data.images, {
    minimumPx: data.frame === undefined ? largest : 1,
    unusable,
    onProgress: showCount('image'),
  })
  const { multipleOf = 1 } = network
  const validation =
    validate &&
    (await openImages(validate.images, {
      minimumPx: multipleOf * validate.images.scale,
      unusable,
      onProgress: showCount('validation image'),
    }))
  return { images, validation }
}

/** Rejects a missing folder before the headers of any image are read. */
function checkRoot(field: string, { root }: Images, option: string): void {
  if (existsSync(root)) return
  throw new RestoreError(
    'input',
    `${field}: expected images in ${root}, which does not exist; pass their folder with ${option}`,
  )
}

export interface PhaseTrial extends Phase {
  readonly secondsPerStep: number
  readonly peakBytes: number
  readonly text: string
}

/** A step that takes longer is not slowed noticeably by being the first. */
const longSeconds = 5

/** Runs steps of every phase without updating the weights, and measures their time and memory. */
export async function tryPhases(
  run: TrainingRun,
  openLoader: (fromStep: number) => Loader,
  onProgress: (text: string) => void,
): Promise<readonly PhaseTrial[]> {
  const { phases } = run.recipe.data
  const trials: PhaseTrial[] = []
  let start = 0
  for (const [i, phase] of phases.entries()) {
    if (start >= run.recipe.steps) break
    onProgress(`phase ${i + 1} of ${phases.length}: batch ${phase.batch}, crop ${phase.crop}`)
    const loader = openLoader(start)
    try {
      const loaded = await loader.next()
      const step = () => {
        const before = performance.now()
        const losses = addAllGradients(run, [loaded])
        run.optimizer.zeroGrad()
        // All processes have to agree on whether a second step follows.
        const [seconds = 0] = averageNumbers([(performance.now() - before) / 1000])
        return { losses, seconds: seconds * ((run.recipe.accumulate ?? 1) / group().size) }
      }
      const first = step()
      const secondsPerStep = first.seconds > longSeconds ? first.seconds : step().seconds
      const peakBytes = process.resourceUsage().maxRSS * 1024
      const loss = Object.values(first.losses).reduce((sum, value) => sum + value, 0)
      const text = `batch ${phase.batch}, crop ${phase.crop}: ${secondsPerStep.toFixed(2)} s per step, peak memory so far ${(peakBytes / 1e9).toFixed(2)} GB, loss ${loss.toPrecision(4)}`
      trials.push({ ...phase, secondsPerStep, peakBytes, text })
    } finally {
      loader.close()
    }
    start += phase.steps
  }
  return trials
}
