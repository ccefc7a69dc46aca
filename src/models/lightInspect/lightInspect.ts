// Limpid's own inspecting network: names the damage of a photo, several kinds at once, and how severe each
// is. One tower of plain 3×3 convolutions looks at crops in native resolution, where noise, blocks and blur
// show; another at an overview of the whole photo, where haze, darkness and shadows do. What they saw is
// pooled over pixels and crops, so the number and the size of crops are free.

import { cat, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import { forRelu, type Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { damages, noiseForms } from '../damages.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { lightInspectFacts } from './cards.ts'

export interface LightInspectOptions {
  /** Channels of both towers at half resolution. */
  readonly width: number
}

export const lightInspectDefaults: LightInspectOptions = { width: 24 }

/** Channels of a tower's stages, in units of the width, and convolutions at each after the one that halves. */
interface Layout {
  readonly widths: readonly number[]
  readonly depths: readonly number[]
}

const detailLayout: Layout = { widths: [1, 2, 3.5, 5, 6], depths: [1, 1, 2, 2, 1] }
const wholeLayout: Layout = { widths: [1, 2, 3, 4, 5], depths: [1, 1, 1, 2, 1] }

/** Stage whose mean is pooled beside the last one's: its texture is that of noise and blocks. */
const textureStage = 2

const slope = 0.1

/** Convolutions in stages, each at half the resolution of the one before; the first at half the input's. */
class Tower {
  stages: readonly (readonly Conv2d[])[]

  constructor(init: Init, channels: readonly number[], depths: readonly number[]) {
    const conv = (from: number, to: number, stride: number) =>
      new Conv2d(init, from, to, { kernel: 3, bias: true, stride, padding: 1 })
    // Of an even side, so that all pixels count alike.
    const stem = (to: number) => new Conv2d(init, 3, to, { kernel: 4, bias: true, stride: 2, padding: 1 })
    this.stages = channels.map((c, i) => [
      i === 0 ? stem(c) : conv(channels[i - 1]!, c, 2),
      ...Array.from({ length: depths[i]! }, () => conv(c, c, 1)),
    ])
  }

  /** [n 3 h w] in 0..1 -> [n d]: mean and maximum of the last stage, mean of the texture stage. */
  forward(image: Tensor): Tensor {
    let x = image.mul(2).sub(1)
    const means: Tensor[] = []
    for (const [first, ...rest] of this.stages) {
      x = first!.forward(x).leakyRelu(slope)
      for (const conv of rest) x = x.add(conv.forward(x).leakyRelu(slope))
      means.push(x.mean([2, 3]))
    }
    return cat([means.at(-1)!, x.amax([2, 3]), means[textureStage]!], 1)
  }
}

/** What the network sees of b photos, k crops of each. */
export interface InspectInputs {
  /** The whole photos, made small [b 3 h w]. */
  readonly view: Tensor
  /** Crops in native resolution, those of a photo one after another [b·k 3 h w]. */
  readonly crops: Tensor
}

/** What the network says about b photos; kinds and forms are those of `damages` and `noiseForms`. */
export interface InspectOutputs {
  /** Logits of the presence of each kind [b 12]. */
  readonly presence: Tensor
  /** Logits of the severity of each kind if it is present: from faint, 0, to severe, 1 [b 12]. */
  readonly severity: Tensor
  /** Logits of the form of the noise, which exclude one another [b 3]. */
  readonly form: Tensor
}

export class LightInspect {
  detail: Tower
  whole: Tower
  summary: Linear
  verdict: Linear

  constructor(init: Init, { width }: LightInspectOptions) {
    const relu = forRelu(init)
    const channelsOf = ({ widths }: Layout) => widths.map((one) => Math.round(one * width))
    const pooled = (channels: readonly number[]) => 2 * channels.at(-1)! + channels[textureStage]!
    const [detail, whole] = [channelsOf(detailLayout), channelsOf(wholeLayout)]
    this.detail = new Tower(relu, detail, detailLayout.depths)
    this.whole = new Tower(relu, whole, wholeLayout.depths)
    this.summary = new Linear(relu, 2 * pooled(detail) + pooled(whole), 8 * width, { bias: true })
    this.verdict = new Linear(init, 8 * width, 2 * damages.length + noiseForms.length, { bias: true })
  }

  forward({ view, crops }: InspectInputs): InspectOutputs {
    const seen = this.detail.forward(crops)
    const byPhoto = seen.reshape([view.size(0), -1, seen.size(1)])
    const all = cat([byPhoto.mean([1]), byPhoto.amax([1]), this.whole.forward(view)], 1)
    const verdict = this.verdict.forward(this.summary.forward(all).leakyRelu(slope))
    const kinds = damages.length
    return {
      presence: verdict.slice(1, 0, kinds),
      severity: verdict.slice(1, kinds, 2 * kinds),
      form: verdict.slice(1, 2 * kinds, 2 * kinds + noiseForms.length),
    }
  }
}

export function lightInspectOptionsFromWeights(shapes: KeyShapes): LightInspectOptions {
  return { width: shapeReader('light-inspect', shapes).size('detail.stages.0.0.weight', 0) }
}

export const lightInspect = defineNetwork({
  facts: lightInspectFacts,
  defaults: lightInspectDefaults,
  optionsFromWeights: lightInspectOptionsFromWeights,
  create: (init, options) => new LightInspect(init, options),
  inputs: { view: 'b 3 h w', crops: 'n 3 h w' },
  outputs: ['presence', 'severity', 'form'],
  forward: (network, inputs) => ({
    ...network.forward({ view: input(inputs, 'view'), crops: input(inputs, 'crops') }),
  }),
  size: () => ({ multipleOf: 32, minimum: 64 }),
  channels: () => ({ input: 3, output: 3 }),
  memory: () => ({ fixedBytes: 100e6, bytesPerPixel: 200 }),
  role: () => ({ kind: 'features' }),
})
