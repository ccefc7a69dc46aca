// The loss of the tone network: the true maps, and the photo that the maps give.

import { l1Loss } from '../../../core/functional.ts'
import type { Tensor } from '../../../core/tensor.ts'
import {
  gated,
  type LightTone,
  type Openings,
  type ToneOutputs,
} from '../../../models/lightTone/lightTone.ts'
import type { Batch } from '../../samples/samples.ts'
import type { ToneSample } from './samples.ts'

/** While they are learnt, gates open gradually, for none learns from a closed one. */
const learnt: Openings = [
  [0.1, 0.9],
  [0.1, 0.9],
  [0.1, 0.9],
]

/**
 * Losses by name; they are added up. Maps before the gates learn from photos with the fault alone: as most
 * photos lack it, the least absolute error would be to find none.
 */
export function toneLosses(model: LightTone, batch: Batch<ToneSample>): Readonly<Record<string, Tensor>> {
  const { view, priors, priorLight, maps, colors, faults, target, small } = batch
  const judged = model.judge({ view, priors, priorLight })
  const found = gated(judged, learnt)
  const fault = (i: number) => faults.slice(1, i, i + 1)
  const map = (i: number) => maps.slice(1, i, i + 1)
  const where = (error: Tensor, i: number) =>
    error
      .abs()
      .mean([...error.shape.keys()].slice(1))
      .mul(fault(i).reshape([error.size(0)]))
      .mean()
  const transmission = judged.depth.clamp(-0.5, 4).neg().exp()
  const airlight = where(judged.airlight.sub(colors.slice(1, 0, 3)), 0)
  const balance = where(judged.balance.sub(colors.slice(1, 3, 6)), 2)
  return {
    transmission: l1Loss(found.transmission, map(0)).add(where(transmission.sub(map(0)), 0).mul(2)),
    gain: l1Loss(found.gain, map(1))
      .add(where(judged.gain.sub(map(1)), 1))
      .mul(0.5),
    colors: airlight.add(balance.mul(2)).add(l1Loss(found.balance, colors.slice(1, 3, 6))),
    faults: crossEntropy(found.gates, faults).mul(0.3),
    photo: l1Loss(toned(found, small), target).mul(2),
  }
}

function crossEntropy(probability: Tensor, truth: Tensor): Tensor {
  const log = (x: Tensor) => x.clamp(1e-4, 1).log()
  const positive = truth.mul(log(probability))
  const negative = truth
    .neg()
    .add(1)
    .mul(log(probability.neg().add(1)))
  return positive.add(negative).mean().neg()
}

/**
 * The photo that the maps give at their size [b 3 h w], by the formulas of data/tone with a power for
 * sRGB's curve.
 */
function toned({ transmission, gain, airlight, balance }: ToneOutputs, photo: Tensor): Tensor {
  const { b } = photo.axes('b c h w')
  const t = transmission.clamp(0.15, 1)
  const light = airlight.reshape([b, 3, 1, 1])
  const clear = photo.sub(light.mul(t.neg().add(1))).div(t)
  const linear = clear
    .clamp(0.004, 1)
    .pow(2.2)
    .mul(balance.exp().reshape([b, 3, 1, 1]))
  const fourth = gain.clamp(-1, 3.5).mul(4).exp()
  const brightest = linear.amax([1], { keepDim: true }).clamp(0, 1).pow(4)
  const factor = fourth.div(fourth.sub(1).mul(brightest).add(1)).pow(0.25)
  const exposed = linear
    .mul(factor)
    .clamp(1e-5)
    .pow(1 / 2.2)
  // Where nothing is wrong the photo passes without the curve.
  return exposed.sub(clear.clamp(0.004, 1)).add(clear)
}
