// Sampling: the loop over an SDE's reverse steps, host code for every backend; the network is the caller's. The state is held once and
// becomes the next one in place, row by row, so that a picture of any size takes 12 bytes a pixel. Noise belongs to a seed, a step and
// a pixel, so neither tiles nor batches nor devices change a result.

import { RestoreError } from '../core/errors.ts'
import { counterRandom } from '../core/random.ts'
import { inBands } from '../core/rowBands.ts'
import { initial, type LinearForm, reverseStep, type Sampler, type Sde } from './irsde.ts'

/** A picture, or rows of one. */
export interface Planes {
  readonly channels: number
  readonly height: number
  readonly width: number
  /** [c h w]. */
  readonly data: Float32Array
}

/** Noise [c height width] of rows from `top` for one use: 0 is the initial state, i the i-th step taken. */
export type Noise = (use: number, top: number, height: number) => Float32Array

/** Standard normal noise that a seed determines for every use and pixel of a picture, in whichever order its rows are asked for. */
export function seededNoise(seed: number, { channels, width }: Pick<Planes, 'channels' | 'width'>): Noise {
  const stream = counterRandom(seed)
  return (use, top, height) => {
    const ofUse = stream.fork(use)
    const values = new Float32Array(channels * height * width)
    const line = new Float32Array(channels * width)
    for (let y = 0; y < height; y++) {
      ofUse.fork(top + y).fillNormal(line)
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

export interface SampleOptions extends Omit<Planes, 'data'> {
  readonly sde: Sde
  readonly sampler: Sampler
  /** First time; all of them unless given. */
  readonly startStep?: number | undefined
  /** Rows [c height width] of the image to restore; for the denoising SDE of the noisy one. */
  readonly degraded: (top: number, height: number) => Float32Array
  readonly noise: Noise
  /**
   * The network on a state at a time as it is told it, in tiles or whole: hands on its prediction in rows from the top down. They
   * become the next state at once, so rows that were handed on are not read again.
   */
  readonly predict: (state: Planes, time: number, emit: (top: number, rows: Planes) => void) => Promise<void>
  readonly onStep?: ((done: number, total: number, state: Planes) => void) | undefined
}

/** Goes from the degraded image to the restored one, not clamped. */
export async function sample(options: SampleOptions): Promise<Planes> {
  const { sde, sampler, channels, height, width, degraded, noise, predict, onStep } = options
  const { startStep = sde.steps } = options
  if (!Number.isInteger(startStep) || startStep < 1 || startStep > sde.steps)
    throw new RestoreError('usage', `sampling: expected a start of 1 to ${sde.steps}, got ${startStep}`)
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

/** Rows [c height width] of what a form mixes into the state, made when they are asked for. */
type Sources = Readonly<Partial<Record<'degraded' | 'prediction' | 'noise', () => Float32Array>>>

/** Rows of the state become what a form makes of them; of the others, only those that it weighs are asked for. */
function mixRows(
  { channels, height, width, data }: Planes,
  { top, height: rows }: Part,
  form: LinearForm,
  sources: Sources,
): void {
  const size = rows * width
  const starts = Array.from({ length: channels }, (_, c) => (c * height + top) * width)
  const ofState = form.state ?? 0
  for (const to of starts) for (let i = to; i < to + size; i++) data[i] = ofState * data[i]!
  for (const term of ['degraded', 'prediction', 'noise'] as const) {
    const weight = form[term]
    const values = weight === undefined ? undefined : sources[term]?.()
    if (weight === undefined || !values) continue
    for (const [c, to] of starts.entries())
      for (let i = 0; i < size; i++) data[to + i] = data[to + i]! + weight * values[c * size + i]!
  }
}
