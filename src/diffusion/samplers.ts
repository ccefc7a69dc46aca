// Sampling: the loop over an SDE's reverse steps, host code for every backend. A step is one run of a network with the update in it,
// traced once for all steps. Noise is drawn for whole images, so neither tiles nor batches change a result.

import { elementCount, float32Data, type TensorData, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { counterRandom } from '../core/random.ts'
import type { Tensor } from '../core/tensor.ts'
import { initial, type LinearForm, reverseStep, type Sampler, type Sde } from './irsde.ts'

/** Noise [b c h w] for one use: 0 is the initial state, i the i-th step taken. */
export type Noise = (index: number) => TensorData

/** Standard normal noise that a seed for each image determines, whatever else is in the batch. */
export function seededNoise(seeds: readonly number[], shape: readonly number[]): Noise {
  if (seeds.length !== shape[0])
    throw new RestoreError(
      'usage',
      `noise: expected a seed for each of ${shape[0]} images, got ${seeds.length}`,
    )
  const streams = seeds.map((seed) => counterRandom(seed))
  const size = elementCount(shape.slice(1))
  return (index) => {
    const values = new Float32Array(seeds.length * size)
    for (const [i, stream] of streams.entries())
      stream.fork(index).fillNormal(values.subarray(i * size, (i + 1) * size))
    return float32Data(values, shape)
  }
}

/** Order of the coefficients that a step is given. */
const stepTerms = ['state', 'degraded', 'prediction', 'noise'] as const

/** What one step reads, by the names of its graph's inputs. */
export interface StepInputs {
  /** x_t [b c h w]. */
  readonly state: TensorData
  /** Time as the network is told it [b]. */
  readonly time: TensorData
  /** Fresh noise [b c h w]; not there for samplers that need none. */
  readonly noise?: TensorData
  /** Weights of state, degraded image, prediction and noise [4]. */
  readonly coefficients: TensorData
}

/**
 * x_(t−1) [b c h w], as a graph for all steps: the prediction is the network's at this time; without `degraded` and `noise`
 * their coefficients are not used.
 */
export function stepUpdate(
  images: {
    readonly state: Tensor
    readonly degraded?: Tensor | undefined
    readonly prediction: Tensor
    readonly noise?: Tensor | undefined
  },
  coefficients: Tensor,
): Tensor {
  let next: Tensor | undefined
  for (const [i, term] of stepTerms.entries()) {
    const part = images[term]?.mul(coefficients.slice(0, i, i + 1))
    next = next && part ? next.add(part) : (next ?? part)
  }
  return next as Tensor
}

export interface SampleOptions {
  readonly sde: Sde
  readonly sampler: Sampler
  /** The image to restore [b c h w]; for the denoising SDE the noisy one. */
  readonly degraded: TensorData
  readonly noise: Noise
  /** Runs the network and the update: a session over `stepUpdate`, which may work in tiles. */
  readonly step: (inputs: StepInputs) => Promise<TensorData>
  /** First time; all of them unless given. */
  readonly startStep?: number
  readonly onStep?: (done: number, total: number, state: TensorData) => void
}

/** Whether a sampler draws noise at every step. */
export function drawsNoise(sampler: Sampler): boolean {
  return sampler === 'sde' || sampler === 'posterior'
}

/** Goes from the degraded image to the restored one [b c h w], not clamped. */
export async function sample({
  sde,
  sampler,
  degraded,
  noise,
  step,
  startStep = sde.steps,
  onStep,
}: SampleOptions): Promise<TensorData> {
  if (!Number.isInteger(startStep) || startStep < 1 || startStep > sde.steps)
    throw new RestoreError('usage', `sampling: expected a start of 1 to ${sde.steps}, got ${startStep}`)
  const b = degraded.shape[0] ?? 1
  let state = initialState(sde, degraded, noise)
  for (let t = startStep; t >= 1; t--) {
    const done = startStep - t + 1
    const inputs: StepInputs = {
      state,
      time: float32Data(new Float32Array(b).fill(t * sde.timeScale), [b]),
      coefficients: coefficientsOf(reverseStep(sde, t, sampler)),
      ...(drawsNoise(sampler) ? { noise: noise(done) } : {}),
    }
    state = await step(inputs)
    onStep?.(done, startStep, state)
  }
  return state
}

function coefficientsOf(form: LinearForm): TensorData {
  return float32Data(
    Float32Array.from(stepTerms, (term) => form[term] ?? 0),
    [stepTerms.length],
  )
}

/** The state at the start: the degraded image, with noise where the SDE ends in noise. */
export function initialState(sde: Sde, degraded: TensorData, noise: Noise): TensorData {
  const scale = initial(sde).noise
  if (scale === undefined) return degraded
  const [image, drawn] = [viewAs(degraded.bytes, Float32Array), viewAs(noise(0).bytes, Float32Array)]
  return float32Data(
    image.map((value, i) => value + scale * (drawn[i] as number)),
    degraded.shape,
  )
}
