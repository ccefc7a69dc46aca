// Learning-rate schedules as plain functions of the step, counted from 0.

import { RestoreError } from '../../core/errors.ts'

/** Learning rate at a step (0-based). */
export type Schedule = (step: number) => number

/** The same rate at every step. */
export function constant(rate: number): Schedule {
  return () => rate
}

/** Half a cosine from one rate to another over `steps`, constant afterwards. */
export function cosine(from: number, to: number, steps: number): Schedule {
  return (step) => to + 0.5 * (from - to) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps))
}

/** Cosine cycles, each with its own length and weight (BasicSR's CosineAnnealingRestartCyclic). */
export function cosineRestarts(
  rate: number,
  cycles: readonly { readonly steps: number; readonly weight?: number; readonly to: number }[],
): Schedule {
  // NOTE: as in the official code, a step on a boundary belongs to the cycle that ends there.
  return (step) => {
    let start = 0
    for (const [i, { steps, weight = 1, to }] of cycles.entries()) {
      if (step <= start + steps || i === cycles.length - 1) {
        return to + weight * 0.5 * (rate - to) * (1 + Math.cos((Math.PI * (step - start)) / steps))
      }
      start += steps
    }
    throw new RestoreError('usage', 'cosineRestarts: expected at least one cycle, got none')
  }
}

/** Step decay: the rate is multiplied by `factor` at each step in `at`. */
export function steps(rate: number, at: readonly number[], factor: number): Schedule {
  return (step) => rate * factor ** at.filter((boundary) => step >= boundary).length
}

/** Linear warm-up: scales the schedule from near 0 to 1 over the first `warmupSteps`. */
export function warmup(warmupSteps: number, schedule: Schedule): Schedule {
  return (step) => schedule(step) * Math.min(1, (step + 1) / warmupSteps)
}

/**
 * Runs schedules one after another, each for its number of steps; the last one continues.
 *
 * @throws RestoreError `usage` without parts
 */
export function sequence(parts: readonly (readonly [steps: number, schedule: Schedule])[]): Schedule {
  if (parts.length === 0) throw new RestoreError('usage', 'sequence: expected at least one part, got none')
  return (step) => {
    let start = 0
    for (const [length, schedule] of parts.slice(0, -1)) {
      if (step < start + length) return schedule(step - start)
      start += length
    }
    return parts.at(-1)![1](step - start)
  }
}
