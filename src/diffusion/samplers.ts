// The sampling loop over an SDE's reverse steps, as host code for every backend; the caller supplies the
// network. The state is updated in place, row by row, so an image of any size takes 12 bytes per pixel. Noise
// is a function of seed, step and pixel, so tiles, batches and devices do not change the result.

import { RestoreError } from '../core/errors.ts'
import { counterRandom } from '../core/random.ts'
import { inBands } from '../core/rowBands.ts'
import { initial, type LinearForm, reverseStep, type Sampler, type Sde } from './irsde.ts'

/** An image, or rows of one. */
export interface Planes {
  readonly channels: number
  readonly height: number
  readonly width: number
  /** [c h w]. */
  readonly data: Float32Array
}

/** Noise [c height width] of rows from `top` for one use: 0 is the initial state, i the i-th step. */
export type Noise = (use: number, top: number, height: number) => Float32Array

/**
 * Standard normal noise, determined by the seed for every use and pixel, in whatever
 * order rows are requested.
 */
export function seededNoise(seed: number, { channels, width }: Pick<Planes, 'channels' | 'width'>): Noise {
  const stream = counterRandom(seed)
  return (use, top, height) => {
    const useStream = stream.fork(use)
    const values = new Float32Array(channels * height * width)
    const line = new Float32Array(channels * width)
    for (let y = 0; y < height; y++) {
      useStream.fork(top + y).fillNormal(line)
      for (let c = 0; c < channels; c++)
        values.set(line.subarray(c * width, (c + 1) * width), (c * height + y) * width)
    }
    return values
  }
}

/** Whether a sampler draws noise at every step. */
export function drawsNoise(sampler: Sampler): boolean {
  return sampler === 'sde' || sampler === 'posterior'
}

/** Options of {@link sample}. */
export interface SampleOptions extends Omit<Planes, 'data'> {
  readonly sde: Sde
  readonly sampler: Sampler
  /** First time; default: the last one of the SDE. */
  readonly startStep?: number | undefined
  /** Rows [c height width] of the image to restore. */
  readonly degraded: (top: number, height: number) => Float32Array
  readonly noise: Noise
  /**
   * Runs the network on a state at a time, in tiles or whole, and emits its prediction in rows from the top
   * down. Emitted rows become the next state at once, so they must not be read again.
   */
  readonly predict: (state: Planes, time: number, emit: (top: number, rows: Planes) => void) => Promise<void>
  readonly onStep?: ((done: number, total: number, state: Planes) => void) | undefined
}

/** Samples the restored image from the degraded one, without clamping. */
export async function sample(options: SampleOptions): Promise<Planes> {
  const { sde, sampler, channels, height, width, degraded, noise, predict, onStep } = options
  const { startStep = sde.steps } = options
  if (!Number.isInteger(startStep) || startStep < 1 || startStep > sde.steps)
    throw new RestoreError('usage', `sampling: expected a start from 1 to ${sde.steps}, got ${startStep}`)
  const state = { channels, height, width, data: new Float32Array(channels * height * width) }
  const rowsOf = (use: number, { top, height: rows }: Part): Sources => ({
    degraded: () => degraded(top, rows),
    noise: () => noise(use, top, rows),
  })
  await inBands({ width, height }, (top, rows) => {
    const part = { top, height: rows }
    mixRows(state, part, initial(sde), rowsOf(0, part))
  })
  for (let t = startStep; t >= 1; t--) {
    const form = reverseStep(sde, t, sampler)
    const done = startStep - t + 1
    await predict(state, sde.times[t]!, (top, rows) => {
      const part = { top, height: rows.height }
      mixRows(state, part, form, { ...rowsOf(done, part), prediction: () => rows.data })
    })
    onStep?.(done, startStep, state)
  }
  return state
}

interface Part {
  readonly top: number
  readonly height: number
}

/** Rows [c height width] of the other terms of a form, computed on demand. */
type Sources = Readonly<Partial<Record<'degraded' | 'prediction' | 'noise', () => Float32Array>>>

/** Updates rows of the state by a form; only sources with a coefficient are computed. */
function mixRows(
  { channels, height, width, data }: Planes,
  { top, height: rows }: Part,
  form: LinearForm,
  sources: Sources,
): void {
  const size = rows * width
  const starts = Array.from({ length: channels }, (_, c) => (c * height + top) * width)
  const stateWeight = form.state ?? 0
  for (const to of starts) for (let i = to; i < to + size; i++) data[i] = stateWeight * data[i]!
  for (const term of ['degraded', 'prediction', 'noise'] as const) {
    const weight = form[term]
    const values = weight === undefined ? undefined : sources[term]?.()
    if (weight === undefined || !values) continue
    for (const [c, to] of starts.entries())
      for (let i = 0; i < size; i++) data[to + i] = data[to + i]! + weight * values[c * size + i]!
  }
}
