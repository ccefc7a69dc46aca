// Trainings to time: networks of published size with weights and batches from formulas, and the losses and
// optimizers of the recipes.

import { elementCount, float32Data, int64Data } from '../../../src/core/data.ts'
import type { Random } from '../../../src/core/random.ts'
import type { Tensor } from '../../../src/core/tensor.ts'
import { createSde, restoringSde } from '../../../src/diffusion/irsde.ts'
import { clipDefaults, initialLogitScale } from '../../../src/models/clip/clip.ts'
import {
  ConditionalUnet,
  conditionalUnetDefaults,
  universalUnet,
} from '../../../src/models/conditionalUnet/conditionalUnet.ts'
import { DaClip } from '../../../src/models/daclip/daclip.ts'
import { degradationWords } from '../../../src/models/daclip/words.ts'
import { Dasr, dasrDefaults } from '../../../src/models/dasr/dasr.ts'
import { Ipt, iptDefaults } from '../../../src/models/ipt/ipt.ts'
import { emptyInit, randomInit } from '../../../src/nn/init.ts'
import { parameters } from '../../../src/nn/module.ts'
import { moveToTorch, toTorch } from '../../../src/torch/backend.ts'
import { adam, adamW, assign, type Optimizer } from '../../../src/torch/optim.ts'
import { RandomGenerator } from '../../../src/torch/rng.ts'
import { clampingLogitScale, clipDecays, controllerLosses } from '../../../src/train/networks/daclip.ts'
import { dasrLosses } from '../../../src/train/networks/dasr.ts'
import { iptLosses } from '../../../src/train/networks/ipt.ts'
import { sdeLoss } from '../../../src/train/networks/irsde.ts'
import { startContrast } from '../../../src/train/networks/momentumContrast.ts'
import type { Losses } from '../../../src/train/optimization/step.ts'
import { wave } from '../../measure.ts'
import { fanInScale, fillByFormula, type ScaleOf, scales, rough as sine } from '../formula.ts'

export interface Training {
  readonly optimizer: Optimizer
  readonly learningRate: number
  losses(step: number): Losses
}

/** Batch of waves; image n has n + 1 times the frequency. */
function images([b, ...shape]: readonly [number, ...number[]], frequency: number): Tensor {
  const size = elementCount(shape)
  const values = new Float32Array(b * size)
  for (let n = 0; n < b; n++) values.set(wave(size, frequency * (n + 1)), n * size)
  return toTorch(float32Data(values, [b, ...shape]))
}

/** Deterministic Random that only draws integers, so that the reference can draw the same. */
function fixedRandom(integer: (below: number) => number): Random {
  const none = () => {
    throw new TypeError('expected only whole numbers to be drawn')
  }
  return { integer, uniform: none, normal: none, fillNormal: none, fork: none }
}

/** Six tasks in turn, one per batch of 2; the contrast is between the first 16 tokens of the images. */
function ipt(): Training {
  const model = new Ipt(
    randomInit(() => 0.5),
    iptDefaults,
  )
  // Without a smaller head, features of inputs in 0..255 saturate the attention, and rounding errors grow to
  // 1 % of the gradients.
  const scaleOf: ScaleOf = (key, shape) =>
    /^head\.\d\.0\./.test(key) ? fanInScale(shape, 0.03) : scales.ipt(key, shape)
  fillByFormula(model, scaleOf, { skip: (key) => key.includes('_mean'), sine })
  moveToTorch(model)
  const side = iptDefaults.patchSize
  const input = images([2, 3, side, side], 0.37)
  const targets = iptDefaults.scales.map((scale) => images([2, 3, side * scale, side * scale], 0.011))
  const constants = { lambda: 0.1, contrast: 'paper', tokens: 16 }
  const random = fixedRandom((below) => below - 1)
  const generator = new RandomGenerator(0)
  return {
    optimizer: adam(parameters(model)),
    learningRate: 5e-5,
    losses: (step) => {
      const task = step % targets.length
      const batch = { input, target: targets[task]!, task: [task, task] }
      return iptLosses({ model, batch, constants, step, random, generator })
    },
  }
}

/** Joint training of both networks, as in the second stage; the queue is random. */
function dasr(): Training {
  const options = { ...dasrDefaults, queueSize: 8192 }
  const model = new Dasr(
    randomInit(() => 0.5),
    options,
  )
  fillByFormula(model, scales.dasr, { skip: (key) => /^G\..*_mean|queue/.test(key), sine })
  moveToTorch(model)
  const generator = new RandomGenerator(0)
  assign(model.E.queue as Tensor, generator.randn([options.encoderChannels[2], options.queueSize]))
  startContrast(model.E)
  const side = 48
  const large = 48 * options.scale
  const batch = {
    input: images([4, 3, side, side], 0.37),
    key: images([4, 3, side, side], 0.23),
    target: images([4, 3, large, large], 0.011),
  }
  const random = fixedRandom(() => 0)
  return {
    optimizer: adam(parameters(model)),
    learningRate: 1e-4,
    losses: (step) => dasrLosses({ model, batch, step, constants: { encoderSteps: 0 }, random, generator }),
  }
}

/** DA-CLIP's universal network with fixed embeddings. */
function irsde(): Training {
  const model = new ConditionalUnet(emptyInit(), { ...conditionalUnetDefaults, ...universalUnet })
  fillByFormula(model, scales.unet, { sine })
  moveToTorch(model)
  const sde = createSde(restoringSde)
  const shape = [1, 3, 128, 128] as const
  const pair = { clean: images(shape, 0.011), degraded: images(shape, 0.37) }
  const embedding = (frequency: number) => images([1, universalUnet.contextWidth], frequency)
  const embeddings = { content: embedding(0.23), degradation: embedding(0.71) }
  const generator = new RandomGenerator(0)
  return {
    optimizer: adamW(parameters(model), { betas: [0.9, 0.99], weightDecay: 0 }),
    learningRate: 2e-4,
    losses: (step) => {
      const random = fixedRandom((below) => (37 * (step + 1)) % below)
      const conditioning = model.condition(embeddings)
      return sdeLoss(sde, pair, { random, generator }, (inputs) => model.forward(inputs, conditioning))
    },
  }
}

/**
 * The controller with a frozen CLIP: eight images, each with a different degradation; captions of 20 tokens.
 */
function daclip(): Training {
  const model = new DaClip(emptyInit(), clipDefaults)
  fillByFormula(model, scales.daclip, { skip: (key) => !/^(clip\.)?visual/.test(key), sine })
  fillByFormula(model, scales.daclip, { skip: (key) => /visual|logit_scale/.test(key), sine })
  fillByFormula(model, () => [0, initialLogitScale], { skip: (key) => !key.endsWith('logit_scale') })
  moveToTorch(model)
  const { contextLength, imageSize } = clipDefaults
  const count = 8
  const first = 49_406
  const last = 49_407
  const caption = (i: number) => {
    const inside = Array.from({ length: 18 }, (_, j) => 320 + ((7919 * (18 * i + j)) % 40_000))
    return [first, ...inside, last, ...new Array<number>(contextLength - 20).fill(0)]
  }
  const labels = Array.from({ length: count }, (_, i) => i)
  const batch = {
    image: images([count, 3, ...imageSize], 0.37),
    caption: toTorch(int64Data(labels.flatMap(caption), [count, contextLength])),
    label: labels,
  }
  const trained = parameters(model)
  const lossesOf = controllerLosses(degradationWords, contextLength)
  const rest = {
    constants: { equalTexts: 'wrong' },
    random: fixedRandom(() => 0),
    generator: new RandomGenerator(0),
  }
  return {
    optimizer: clampingLogitScale(
      adamW(trained, { betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.05, decays: clipDecays }),
      trained,
    ),
    learningRate: 2e-5,
    losses: (step) => lossesOf({ model, batch, step, ...rest }),
  }
}

export const trainings = { ipt, dasr, irsde, daclip }

export function isTraining(name: string): name is keyof typeof trainings {
  return Object.hasOwn(trainings, name)
}
