// Training step of Restormer: forward, L1, backward, clipping, AdamW.

import { elementCount, float32Data } from '../../../src/core/data.ts'
import { l1Loss } from '../../../src/core/functional.ts'
import {
  Restormer,
  type RestormerOptions,
  restormerDefaults,
} from '../../../src/models/restormer/restormer.ts'
import { randomInit } from '../../../src/nn/init.ts'
import { parameters } from '../../../src/nn/module.ts'
import { autocast, moveToTorch, toTorch } from '../../../src/torch/backend.ts'
import { adamW } from '../../../src/torch/optim.ts'
import { type TrainStep, trainStep } from '../../../src/train/optimization/step.ts'
import { wave } from '../../measure.ts'

export interface TrainerOptions {
  readonly options: Partial<RestormerOptions>
  readonly shape: readonly [b: number, c: number, h: number, w: number]
  /** Whether convolutions and matrix products run in bfloat16. */
  readonly isHalf: boolean
}

/** Creates a network and returns a function that runs one training step. */
export function trainer({ options, shape, isHalf }: TrainerOptions): () => void {
  let state = 1
  const random = () => {
    state = (state * 16807) % 2147483647
    return state / 2147483647
  }
  const model = new Restormer(randomInit(random), { ...restormerDefaults, ...options })
  moveToTorch(model)
  const weights = parameters(model)
  const optimizer = adamW(weights, { weightDecay: 1e-4 })
  const image = (step: number) => toTorch(float32Data(wave(elementCount(shape), step), shape))
  const noisy = image(0.37)
  const clean = image(0.011)
  const loss = () => l1Loss(model.forward(noisy), clean)

  const step: TrainStep = {
    loss: () => (isHalf ? autocast('cpu', 'bfloat16', loss) : loss()),
    parameters: weights,
    optimizer,
    learningRate: 3e-4,
    maxGradNorm: 0.01,
  }
  return () => trainStep(step)
}
