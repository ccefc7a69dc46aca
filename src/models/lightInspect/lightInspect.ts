// Limpid's own inspecting network: names the damage of a photo, several kinds at once, and how severe each
// is. One encoder, light-detect's without positions so that any size fits, looks at crops in native resolution, where noise,
// blocks and blur show, and at an overview of the whole photo, where haze, darkness and shadows do. What classical estimators
// measured comes in beside what it saw.

import { rearrange } from '../../core/rearrange.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import { forRelu, type Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { Block } from '../clip/clip.ts'
import { damages, noiseForms } from '../damages.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { lightInspectFacts } from './cards.ts'

export interface LightInspectOptions {
  /** Channels of the encoder's convolutions; the last is the width of its tokens. */
  readonly stem: readonly [number, number, number]
  /** Transformer blocks. */
  readonly layers: number
  /** Values that classical estimators give. */
  readonly estimates: number
}

export const lightInspectDefaults: LightInspectOptions = { stem: [48, 96, 128], layers: 2, estimates: 20 }

/** Channels of an attention head. */
const headWidth = 64

/** Vision transformer over patches of 16 × 16 pixels, without positions. */
class Encoder {
  stem: readonly Conv2d[]
  patch: Conv2d
  first: Tensor // [width]
  ln_pre: LayerNorm
  blocks: readonly Block[]
  ln_post: LayerNorm

  constructor(init: Init, { stem, layers }: LightInspectOptions) {
    const [fine, middle, width] = stem
    const conv = (from: number, to: number, kernel: number, stride: number) =>
      new Conv2d(forRelu(init), from, to, { kernel, bias: true, stride, padding: kernel === 3 ? 1 : 0 })
    this.stem = [conv(3, fine, 4, 4), conv(fine, middle, 3, 2), conv(middle, width, 3, 2)]
    this.patch = new Conv2d(init, width, width, { kernel: 1, bias: true })
    this.first = init.weight([width], { deviation: width ** -0.5 })
    this.ln_pre = new LayerNorm(init, width)
    const heads = Math.max(width / headWidth, 1)
    this.blocks = Array.from(
      { length: layers },
      () => new Block(init, { width, layers, heads, activation: 'gelu', isScaledByDepth: false }),
    )
    this.ln_post = new LayerNorm(init, width)
  }

  /** [n 3 h w] in 0..1 -> [n 3·width]: the class token, and mean and maximum of the patches. */
  forward(image: Tensor): Tensor {
    const stemmed = this.stem.reduce((x, conv) => conv.forward(x).gelu(), image.mul(2).sub(1))
    const patches = rearrange(this.patch.forward(stemmed), 'n c h w -> n (h w) c')
    const [n, c] = [patches.size(0), patches.size(2)]
    const first = this.first.reshape([1, 1, c]).expand([n, 1, c])
    const embedded = this.ln_pre.forward(cat([first, patches], 1))
    const tokens = this.ln_post.forward(this.blocks.reduce((x, block) => block.forward(x), embedded))
    const seen = tokens.slice(1, 1, tokens.size(1))
    return cat([tokens.slice(1, 0, 1).reshape([n, c]), seen.mean([1]), seen.amax([1])], 1)
  }
}

/** What the network is given of b photos, k crops of each. */
export interface InspectInputs {
  /** The whole photos, made small [b 3 h w]. */
  readonly view: Tensor
  /** Crops in native resolution, those of a photo one after another [b·k 3 h w]. */
  readonly crops: Tensor
  /** What classical estimators measured [b 20], `estimateVector`. */
  readonly estimates: Tensor
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
  encoder: Encoder
  summary: Linear
  verdict: Linear

  constructor(init: Init, options: LightInspectOptions) {
    const width = options.stem[2]
    this.encoder = new Encoder(init, options)
    // Of the overview, and of the crops their mean and their maximum.
    this.summary = new Linear(forRelu(init), 9 * width + options.estimates, 2 * width, { bias: true })
    this.verdict = new Linear(init, 2 * width, 2 * damages.length + noiseForms.length, { bias: true })
  }

  forward({ view, crops, estimates }: InspectInputs): InspectOutputs {
    const seen = this.encoder.forward(crops)
    const byPhoto = seen.reshape([view.size(0), -1, seen.size(1)])
    const whole = this.encoder.forward(view)
    const all = cat([whole, byPhoto.mean([1]), byPhoto.amax([1]), estimates], 1)
    const verdict = this.verdict.forward(this.summary.forward(all).gelu())
    const kinds = damages.length
    return {
      presence: verdict.slice(1, 0, kinds),
      severity: verdict.slice(1, kinds, 2 * kinds),
      form: verdict.slice(1, 2 * kinds, 2 * kinds + noiseForms.length),
    }
  }
}

export function lightInspectOptionsFromWeights(shapes: KeyShapes): LightInspectOptions {
  const { size, count } = shapeReader('light-inspect', shapes)
  const channels = (i: number) => size(`encoder.stem.${i}.weight`, 0)
  const stem = [channels(0), channels(1), channels(2)] as const
  return {
    stem,
    layers: count('encoder.blocks', 'ln_1.weight'),
    estimates: size('summary.weight', 1) - 9 * stem[2],
  }
}

export const lightInspect = defineNetwork({
  facts: lightInspectFacts,
  defaults: lightInspectDefaults,
  optionsFromWeights: lightInspectOptionsFromWeights,
  create: (init, options) => new LightInspect(init, options),
  inputs: { view: 'b 3 h w', crops: 'n 3 h w', estimates: 'b estimates' },
  outputs: ['presence', 'severity', 'form'],
  forward: (network, inputs) => ({
    ...network.forward({
      view: input(inputs, 'view'),
      crops: input(inputs, 'crops'),
      estimates: input(inputs, 'estimates'),
    }),
  }),
  size: () => ({ multipleOf: 16, minimum: 64 }),
  channels: () => ({ input: 3, output: 3 }),
  memory: () => ({ fixedBytes: 100e6, bytesPerPixel: 200 }),
  role: () => ({ kind: 'features' }),
})
