// DnCNN: Beyond a Gaussian Denoiser, arXiv:1608.03981, and FDnCNN, which is told the noise level by a map as FFDNet is
// (arXiv:1710.04026). Checkpoint keys: cszn/KAIR models/network_dncnn.py, with norms merged by layout.ts.
// Input [b c h w] in 0..1 of any size.

import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { runSteps, type Step } from '../../nn/upsampler.ts'
import { auto, defineNetwork, type NumberOrAuto } from '../networkDescriptor.ts'
import { checkSigma, denoiserCalls, denoiserRole, withNoiseMap } from '../noiseLevelOption.ts'
import { dncnnFacts } from './cards.ts'

/** Options of DnCNN. */
export interface DncnnOptions {
  readonly channels: number
  readonly width: number
  /** Convolutions, first and last included. */
  readonly layers: number
  /** Whether the network is FDnCNN, which takes a noise map and predicts the picture instead of the noise. */
  readonly noiseMap: boolean
  /**
   * Standard deviation of the noise, of 255, of FDnCNN; 'auto' estimates it from the photo, and takes tensors to
   * have 15.
   */
  readonly sigma: NumberOrAuto
}

/** Options of the official networks for one noise level. */
export const dncnnDefaults: DncnnOptions = {
  channels: 1,
  width: 64,
  layers: 17,
  noiseMap: false,
  sigma: auto,
}

/** Plain convolutions, which predict the noise. */
export class Dncnn {
  readonly options: DncnnOptions
  model: readonly Step[]

  constructor(init: Init, options: DncnnOptions) {
    const { channels, width, layers, noiseMap } = options
    this.options = options
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias: true })
    const relu = (x: Tensor) => x.relu()
    const inner = Array.from({ length: layers - 2 }, () => [conv(width, width), relu])
    this.model = [
      conv(noiseMap ? channels + 1 : channels, width),
      relu,
      ...inner.flat(),
      conv(width, channels),
    ]
  }

  /** [b channels h w] -> [b channels h w], not clamped; sigma [1 1], of 255, is for FDnCNN only. */
  forward(image: Tensor, sigma: Tensor): Tensor {
    return this.options.noiseMap
      ? runSteps(this.model, withNoiseMap(image, sigma))
      : image.sub(runSteps(this.model, image))
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function dncnnOptionsFromWeights(shapes: KeyShapes): DncnnOptions {
  const { size } = shapeReader('DnCNN', shapes)
  let last = 0
  while (shapes.has(`model.${last + 2}.weight`)) last += 2
  const channels = size(`model.${last}.weight`, 0)
  return {
    channels,
    width: size('model.0.weight', 0),
    layers: last / 2 + 1,
    noiseMap: size('model.0.weight', 1) > channels,
    sigma: auto,
  }
}

export const dncnn = defineNetwork({
  facts: dncnnFacts,
  defaults: dncnnDefaults,
  optionsFromWeights: dncnnOptionsFromWeights,
  optionsNotInWeights: ['sigma'],
  create: (init, options) => new Dncnn(init, options),
  inputs: { x: 'b channels h w' },
  outputs: ['y'],
  ...denoiserCalls,
  channels: ({ channels }) => ({ input: channels, output: channels }),
  // Twice what a pixel depends on: where two tiles blend, the one that is not cut off there has the larger weight.
  tiling: ({ layers }) => ({ whole: 'needless', tilePx: 384, overlapPx: 2 * layers, batch: 1 }),
  memory: ({ width }) => ({ fixedBytes: 120e6, bytesPerPixel: 4 * 3 * width }),
  role: ({ noiseMap, sigma }) => (noiseMap ? denoiserRole(sigma) : { kind: 'restores' }),
  check: ({ sigma }) => checkSigma(sigma),
})
