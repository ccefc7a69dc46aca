// Stops a training whose numbers are no longer finite, and says how it can go on.

import { type TensorData, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { group } from '../torch/group.ts'
import type { LoadedBatch } from './loader/loader.ts'

/** Where a training is. */
export interface Position {
  /** Steps done. */
  readonly step: number
  /** Steps of the last saved state; undefined before the first. */
  readonly savedStep: number | undefined
}

/** @throws RestoreError `numeric` that names the images of the step */
export function checkFiniteLosses(
  losses: Readonly<Record<string, number>>,
  norm: number | undefined,
  batches: readonly LoadedBatch[],
  position: Position,
): void {
  const values = Object.entries({ ...losses, ...(norm === undefined ? {} : { 'gradient norm': norm }) })
  const bad = values.find(([, value]) => !Number.isFinite(value))
  if (!bad) return
  const names = [...new Set(batches.flatMap((batch) => batch.names))].join(', ')
  const places = group().size === 1 ? names : `${names} or the images of another process`
  throw new RestoreError(
    'numeric',
    `step ${position.step}: expected a finite loss, got ${bad[0]} ${bad[1]} on ${places}; ${adviceAt(position)}`,
  )
}

/** Keeps weights that are not finite from replacing a good state. @throws RestoreError `numeric` */
export function checkFiniteWeights(weights: ReadonlyMap<string, TensorData>, position: Position): void {
  for (const [key, { dtype, bytes }] of weights) {
    if (dtype !== 'float32') continue
    const bad = viewAs(bytes, Float32Array).find((value) => !Number.isFinite(value))
    if (bad === undefined) continue
    throw new RestoreError(
      'numeric',
      `step ${position.step}: expected finite weights, got ${bad} in ${key}; ${adviceAt(position)}`,
    )
  }
}

function adviceAt({ step, savedStep }: Position): string {
  if (savedStep === undefined)
    return 'no state is saved yet: start again with a lower learning rate (--set learningRate=…) or other data (--data)'
  if (savedStep < step)
    return `the state of step ${savedStep} is intact: go on from it with a lower learning rate (--set learningRate=…) or other data (--data), and --resume --accept-changes`
  return `the state of step ${savedStep} gives it already, so that a lower learning rate cannot help: go on with other data (--data) and --resume --accept-changes, or start a new training from earlier weights, such as best.safetensors (--set network.weights=… --out …)`
}
