// Lays out a picture for a network that samples. The state of the whole picture is kept as float32 planes (12
// bytes per pixel, 28 for several samples), and tiles are blended at every step, so no seams build up.

import { float32Data } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { inBands } from '../../core/rowBands.ts'
import { crop, type Image } from '../../data/image.ts'
import type { ReadPart } from '../../data/parts.ts'
import { type Planes, sample, seededNoise } from '../../diffusion/samplers.ts'
import { checkAborted } from '../jobs/serialQueue.ts'
import {
  type Attempt,
  type LayoutRequest,
  prepareRun,
  type RestorationLayout,
  type RestorationOutcome,
} from '../networks/tileLayout.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import { blend } from '../pictures/resample.ts'
import { type RunTiles, restoreInTiles } from '../tiles/tile.ts'
import { latentSpace } from './latentSpace.ts'
import { SampleSpread } from './sampleSpread.ts'
import type { Sampling } from './samplingPlan.ts'
import { pixelSpace, type SamplingSpace } from './samplingSpace.ts'

/** Lays out a picture for sampling. @throws RestoreError 'usage' for a self-ensemble of latents */
export function layOutSampling(request: LayoutRequest, sampling: Sampling): RestorationLayout {
  const { loaded, picture, budget, selfEnsemble } = request
  const stateBytes = picture.width * picture.height * (sampling.samples > 1 ? 28 : 12)
  const budgetBytes = Math.max(0, budget.budgetBytes - stateBytes)
  const remaining = { ...request, budget: { ...budget, budgetBytes } }
  const { guide } = loaded
  if (guide?.guidance.kind !== 'latents') return sampledLayout(pixelSpace(remaining), request, sampling)
  if (selfEnsemble)
    throw new RestoreError(
      'usage',
      'selfEnsemble: expected a network that restores pictures, got one that restores latents, which cannot be rotated; use samples to average',
    )
  const { session, network, guidance } = guide
  const space = latentSpace(remaining, { session, network, unitPx: guidance.unitPx })
  return sampledLayout(space, request, sampling)
}

function sampledLayout(space: SamplingSpace, request: LayoutRequest, sampling: Sampling): RestorationLayout {
  return { ...space, restore: (attempt) => restoreSampled(space, request, { ...sampling, attempt }) }
}

interface SampledRequest extends Sampling {
  readonly attempt: Attempt
}

async function restoreSampled(
  space: SamplingSpace,
  request: LayoutRequest,
  { attempt, ...sampling }: SampledRequest,
): Promise<RestorationOutcome> {
  const { padded, channels, plan } = space
  const { samples, seed } = sampling
  const picture = await space.enter(attempt.read)
  const { run, seen } = await prepareRun(request, picture)
  const spread = samples > 1 ? new SampleSpread(padded, channels) : undefined
  for (let i = 0; i < samples; i++) {
    const state = await sampleOnce({
      space,
      picture,
      run,
      request,
      sampling: { ...sampling, seed: seed + i },
      index: i,
    })
    await space.leave(state, attempt.read, (top, rows) => {
      const out = withStrength(rows, attempt.read, top, request.strength)
      if (!spread) return attempt.emit(top, out)
      attempt.samples?.[i]?.emit(top, out)
      spread.add(i, top, out)
    })
  }
  const tiles = plan.rows.starts.length * plan.columns.starts.length
  if (!spread) return { tiles, seen }
  await inBands(padded, (top, rows) => attempt.emit(top, spread.meanRows(top, rows)))
  return { tiles, seen, deviation: spread.deviation(samples) }
}

function withStrength(rows: Image, read: ReadPart, top: number, strength: number): Image {
  return strength === 1 ? rows : blend(rows, read(top, 0, rows.height, rows.width), strength)
}

interface SampleJob {
  readonly space: SamplingSpace
  readonly picture: ReadablePicture
  readonly run: RunTiles
  readonly request: LayoutRequest
  readonly sampling: Sampling
  /** Index of the sample, from 0. */
  readonly index: number
}

/** Computes one sample: all steps, each over all tiles. */
function sampleOnce({ space, picture, run, request, sampling, index }: SampleJob): Promise<Planes> {
  const { plan, stateChannels: channels } = space
  const { rows, columns, batch } = plan
  const { width, height } = picture
  const { sde, sampler, startStep, samples, seed } = sampling
  const { signal } = request.run
  const drawNoise = seededNoise(seed, { channels, width })
  const takesDegraded = sde.kind === 'restoring'
  let step = 1
  const onTile = (tile: number, tiles: number) => {
    const done = (index * startStep + step - 1) * tiles + tile
    const detail = { step, steps: startStep, sample: index + 1, samples, tile, tiles }
    request.onTile(done, samples * startStep * tiles, detail)
  }
  return sample({
    sde,
    sampler,
    startStep,
    channels,
    height,
    width,
    degraded: (top, count) => picture.read(top, 0, count, width).data,
    noise: (use, top, count) => {
      checkAborted(signal)
      return drawNoise(use, top, count)
    },
    predict: (state, time, emit) => {
      const inputs = { time: float32Data(Float32Array.of(time), [1]) }
      return restoreInTiles({
        rows,
        columns,
        batch,
        scale: 1,
        emit,
        onTile,
        read: (...part) => {
          const statePart = crop(state, ...part)
          return takesDegraded ? concatenatePlanes(statePart, picture.read(...part)) : statePart
        },
        run: (tiles) => {
          checkAborted(signal)
          return run(tiles, inputs)
        },
      })
    },
    onStep: (done) => {
      step = done + 1
    },
  })
}

/** Concatenates the planes of two images. */
function concatenatePlanes(first: Image, second: Image): Image {
  const data = new Float32Array(first.data.length + second.data.length)
  data.set(first.data)
  data.set(second.data, first.data.length)
  return { ...first, channels: first.channels + second.channels, data }
}
