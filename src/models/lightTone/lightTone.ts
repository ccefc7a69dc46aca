// Limpid's own tone network: looks once at a small view of the whole photo and tells what dims it, as maps
// of known meaning: transmission and light of the haze, gain, white balance (src/data/tone applies them). A
// plain U-Net of 3×3 convolutions with a branch that pools the whole view. Ours are the maps, the features
// shown beside the view, and gates: a map is what the pixel says times what the whole view says, so a photo
// with nothing wrong is left alone by one number. New heads are zero: the identity.

import { RestoreError } from '../../core/errors.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import { forRelu, type Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { defineNetwork, input, type ToneRole } from '../networkDescriptor.ts'
import { lightToneFacts } from './cards.ts'

export interface LightToneOptions {
  /** Channels at half the view's resolution. */
  readonly width: number
  /** Faults to mend: 'haze', 'light' (gain and color cast) or 'all'. */
  readonly tone: string
}

export const lightToneDefaults: LightToneOptions = { width: 24, tone: 'all' }

/** Side of the view. */
const viewPx = 256

/** Channels of the stages, in units of the width; each works at half the resolution of the one before. */
const stageWidths = [1, 2, 3, 4, 5]

/** What the network sees, and the light of the air by the dark channel prior. */
export interface ToneInputs {
  /** The photo, averaged [b 3 h w]. */
  readonly view: Tensor
  /** Dark channel, transmission by the prior, log brightness [b 3 h w]. */
  readonly priors: Tensor
  /** [b 3]. */
  readonly priorLight: Tensor
}

export interface ToneOutputs {
  /** [b 1 h/4 w/4], 1 in clear air; not clamped. */
  readonly transmission: Tensor
  /** Natural log [b 1 h/4 w/4]. */
  readonly gain: Tensor
  /** [b 3], sRGB. */
  readonly airlight: Tensor
  /** Natural logs [b 3], mean 0. */
  readonly balance: Tensor
  /** How sure the network is of haze, a wrong exposure and a color cast, 0..1 [b 3]. */
  readonly gates: Tensor
}

/** Maps before the gates. */
export interface ToneJudgment extends Omit<ToneOutputs, 'transmission'> {
  /** Optical depth of the haze, -log of the transmission [b 1 h/4 w/4]. */
  readonly depth: Tensor
}

/** Of what is below 0: with none at all, new heads, which are zero, let layers die. */
const slope = 0.1

/** 3×3 convolution of a reflected border, for zeros would be seen as a dark frame. */
function convolve(x: Tensor, conv: Conv2d): Tensor {
  return conv.forward(x.pad([1, 1, 1, 1], 'reflect')).leakyRelu(slope)
}

/** How sure the network is where the gate of a fault begins to open, and where it is open. */
type Opening = readonly [closed: number, open: number]

/** Openings for haze, exposure and color cast. */
export type Openings = readonly [haze: Opening, exposure: Opening, cast: Opening]

/**
 * Openings for photos: photos of test sets without a fault stay exactly as they are, while damaged ones are
 * nearly all past them (weights/README.md).
 */
const decided: Openings = [
  [0.7, 0.9],
  [0.75, 0.9],
  [0.5, 0.7],
]

/** What is left of maps by how sure the network is of each fault. */
export function gated(
  { depth, gain, airlight, balance, gates }: ToneJudgment,
  openings: Openings = decided,
): ToneOutputs {
  const gate = (i: number) => {
    const [closed, open] = openings[i]!
    return gates
      .slice(1, i, i + 1)
      .sub(closed)
      .mul(1 / (open - closed))
      .clamp(0, 1)
  }
  const through = (map: Tensor, i: number) => map.mul(gate(i).reshape([map.size(0), 1, 1, 1]))
  return {
    transmission: through(depth, 0).clamp(-0.5, 4).neg().exp(),
    gain: through(gain, 1),
    airlight,
    balance: balance.mul(gate(2)),
    gates,
  }
}

export class LightTone {
  stages: readonly (readonly Conv2d[])[]
  summary: Linear
  context: Linear
  ups: readonly Conv2d[]
  maps: Conv2d
  gates: Linear
  colors: Linear

  constructor(init: Init, { width }: LightToneOptions) {
    const widths = stageWidths.map((one) => one * width)
    const relu = forRelu(init)
    const conv = (from: number, to: number, stride = 1) =>
      new Conv2d(relu, from, to, { kernel: 3, bias: true, stride, padding: 0 })
    this.stages = widths.map((c, i) => (i === 0 ? [conv(6, c, 2)] : [conv(widths[i - 1]!, c, 2), conv(c, c)]))
    const [, quarter, eighth, sixteenth, deepest] = widths as [number, number, number, number, number]
    this.summary = new Linear(relu, 2 * deepest + 3, deepest, { bias: true })
    this.context = new Linear(relu, deepest, deepest, { bias: true })
    this.ups = [
      conv(deepest + sixteenth, sixteenth),
      conv(sixteenth + eighth, eighth),
      conv(eighth + quarter, quarter),
    ]
    const zeros: Init = { ...init, weight: (shape) => init.weight(shape, { constant: 0 }) }
    this.maps = new Conv2d(zeros, quarter, 2, { kernel: 1, bias: true })
    this.gates = new Linear(zeros, deepest, 3, { bias: true })
    this.colors = new Linear(zeros, deepest, 6, { bias: true })
  }

  forward(inputs: ToneInputs): ToneOutputs {
    return gated(this.judge(inputs))
  }

  /** The maps as they are if there is a fault, and how sure it is that there is one. */
  judge({ view, priors, priorLight }: ToneInputs): ToneJudgment {
    const skips: Tensor[] = []
    let x = cat([view, priors], 1).mul(2).sub(1)
    for (const stage of this.stages) {
      for (const conv of stage) x = convolve(x, conv)
      skips.push(x)
    }
    const { b, c } = x.axes('b c h w')
    const pooled = cat([x.mean([2, 3]), x.amax([2, 3]), priorLight], 1)
    const global = this.context.forward(this.summary.forward(pooled).leakyRelu(slope)).leakyRelu(slope)
    x = x.add(global.reshape([b, c, 1, 1]))
    for (const [i, up] of this.ups.entries())
      x = convolve(cat([x.upsampleBilinear(2), skips[skips.length - 2 - i]!], 1), up)
    const maps = this.maps.forward(x)
    const colors = this.colors.forward(global)
    const logs = colors.slice(1, 3, 6)
    return {
      depth: maps.slice(1, 0, 1),
      gain: maps.slice(1, 1, 2),
      airlight: priorLight.add(colors.slice(1, 0, 3).tanh().mul(0.3)),
      balance: logs.sub(logs.mean([1], { keepDim: true })),
      gates: this.gates.forward(global).sigmoid(),
    }
  }
}

export function lightToneOptionsFromWeights(shapes: KeyShapes): LightToneOptions {
  return { ...lightToneDefaults, width: shapeReader('light-tone', shapes).size('stages.0.0.weight', 0) }
}

/** Parts of the role by the option's value. */
function roleOf({ tone }: LightToneOptions): ToneRole {
  const parts = {
    all: { haze: true, gain: true, cast: true },
    haze: { haze: true, gain: false, cast: false },
    light: { haze: false, gain: true, cast: true },
  }
  if (tone === 'all' || tone === 'haze' || tone === 'light')
    return { kind: 'tones', viewPx, parts: parts[tone] }
  throw new RestoreError('usage', `options: expected tone all, haze or light, got ${tone}`)
}

export const lightTone = defineNetwork({
  facts: lightToneFacts,
  defaults: lightToneDefaults,
  optionsFromWeights: lightToneOptionsFromWeights,
  optionsNotInWeights: ['tone'],
  create: (init, options) => new LightTone(init, options),
  inputs: { view: 'b 3 h w', priors: 'b 3 h w', priorLight: 'b 3' },
  outputs: ['transmission', 'gain', 'airlight', 'balance', 'gates'],
  forward: (network, inputs) => {
    const named = (name: string) => input(inputs, name)
    return {
      ...network.forward({ view: named('view'), priors: named('priors'), priorLight: named('priorLight') }),
    }
  },
  size: () => ({ multipleOf: 32, minimum: 64 }),
  channels: () => ({ input: 3, output: 3 }),
  memory: () => ({ fixedBytes: 100e6, bytesPerPixel: 40 }),
  role: roleOf,
})
