// Restores one picture, and opens whatever restores pictures for a request: one network, or several.

import type { OverrideRequest } from '../auto/plan/overrides.ts'
import { RestoreError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import { autoTask } from '../models/tasks.ts'
import { AutoRestorer, overrideRules } from './autoRestorer.ts'
import { isAuto, tasksOf } from './modelChoice.ts'
import type { PictureRestorer } from './pictureRestorer.ts'
import { Pipeline } from './pipeline.ts'
import { type DecodedInput, type ReadOptions, type RestoreInput, readInput } from './readInput.ts'
import type { RestoreResult } from './restoreResult.ts'
import {
  Restorer,
  type RestorerOptions,
  type RunPictureOptions,
  restorerRules,
  runRules,
} from './restorer.ts'

/**
 * Opens what a request needs: one network, those of several tasks, or those that a photo turns out to need;
 * options are checked.
 */
export function openRestorer(request: RestorerOptions & OverrideRequest): Promise<PictureRestorer> {
  if (isAuto(request)) return AutoRestorer.open({ ...request, task: autoTask })
  refuseOverrides(request)
  const { only: _, never: __, ...options } = request
  return tasksOf(options.task).length > 1 ? Pipeline.open(options) : Restorer.open(options)
}

/** Refuses what only task auto decides. @throws RestoreError 'usage' */
export function refuseOverrides(request: RestorerOptions & OverrideRequest): void {
  const given = (['only', 'never'] as const).find((name) => request[name] !== undefined)
  if (given === undefined) return
  throw new RestoreError(
    'usage',
    `${given}: expected task auto, which finds damage, got ${request.task ?? 'none'}; name task auto, or leave it out`,
  )
}

/** Starts reading a picture while the network opens; errors surface when the result is awaited. */
export function readAhead(input: RestoreInput, options: ReadOptions): Promise<DecodedInput> {
  const read = readInput(input, options)
  read.catch(() => {})
  return read
}

/**
 * Restores one picture: without a task, model or weights it finds out what is wrong and repairs that. For several
 * pictures, open networks once with {@link createRestorer}, {@link createPipeline} or {@link createAutoRestorer}.
 * @throws RestoreError as those and their `run` do
 * @example
 * const { info } = await restore('photo.jpg')
 * console.log(info.repair)
 * @example
 * const result = await restore('photo.jpg', { task: 'deblur', weights: 'motion_deblurring.pth' })
 * @example
 * const larger = await restore('photo.jpg', { task: 'denoise,upscale' })
 */
export async function restore(
  input: RestoreInput,
  options: RestorerOptions & RunPictureOptions & OverrideRequest = {},
): Promise<RestoreResult> {
  checkOptions('restore', options, { ...restorerRules, ...runRules, ...overrideRules })
  const read = readAhead(input, options)
  const restorer = await openRestorer(options)
  try {
    // Nobody else can ask a restorer that is closed.
    const noted = read.then((picture) => ({
      ...picture,
      notes: [...restorer.notes, ...(picture.notes ?? [])],
    }))
    noted.catch(() => {})
    return await restorer.runRead(noted, options, input)
  } finally {
    await restorer.close()
  }
}

/**
 * Opens the networks of several tasks, which every picture goes through in order without rounding between.
 * @throws RestoreError 'usage', 'checkpoint', 'environment'
 * @example
 * await using pipeline = await createPipeline({ task: 'denoise,upscale' })
 * const result = await pipeline.run('photo.jpg', { strength: 0.8 })
 */
export async function createPipeline(options: RestorerOptions): Promise<Pipeline> {
  checkOptions('createPipeline', options, restorerRules)
  return Pipeline.open(options)
}
