// The frame around the blocks of SwinIR and its descendants (arXiv:2108.10257 §3.1): shallow features, blocks with a residual connection, and one
// of four ways to reconstruct the image.

import { pixelUnshuffle } from '../core/functional.ts'
import { constant } from '../core/hostBackend.ts'
import { rearrange } from '../core/rearrange.ts'
import type { Tensor } from '../core/tensor.ts'
import { Conv2d } from './conv.ts'
import type { Init } from './init.ts'
import { type KeyShapes, shapeReader } from './keyShapes.ts'
import { meanColor } from './meanShift.ts'
import { LayerNorm } from './norm.ts'
import { cropLike, padTo } from './padding.ts'
import { runSteps, type Step, scaleOfUpsampler, shuffled, upsampler } from './upsampler.ts'
import type { ImageSize } from './windows.ts'

/** Options of the frame. */
export interface FrameOptions {
  /** Channels of the image, the same in and out. */
  readonly inChannels: number
  /** Features per pixel. */
  readonly channels: number
  /** Enlargement behind the blocks. */
  readonly upscale: number
  /** The input is unshuffled by this factor, which divides the scale. */
  readonly unshuffle: number
  readonly upsampler: 'pixelshuffle' | 'pixelshuffledirect' | 'nearest+conv' | 'none'
  /** Channels while enlarging, of the first and third upsampler. */
  readonly features: number
  /** Convolutions before a residual connection. */
  readonly residual: '1conv' | '3conv' | 'identity'
  /** Value of white inside the network. */
  readonly range: number
}

/** The frame of the official large networks ×4. */
export const frameDefaults: FrameOptions = {
  inChannels: 3,
  channels: 180,
  upscale: 4,
  unshuffle: 1,
  upsampler: 'pixelshuffle',
  features: 64,
  residual: '1conv',
  range: 1,
}

/** A convolution; or three, a quarter as wide in the middle; or none. */
export type ResidualConv = Conv2d | readonly Step[]

export function residualConv(
  init: Init,
  { channels: c, residual }: Pick<FrameOptions, 'channels' | 'residual'>,
): ResidualConv {
  const conv = (from: number, to: number, kernel = 3) => new Conv2d(init, from, to, { kernel, bias: true })
  if (residual === '1conv') return conv(c, c)
  if (residual === 'identity') return []
  const quarter = Math.floor(c / 4)
  return [conv(c, quarter), leaky, conv(quarter, quarter, 1), leaky, conv(quarter, c)]
}

export function runResidualConv(conv: ResidualConv, x: Tensor): Tensor {
  return conv instanceof Conv2d ? conv.forward(x) : runSteps(conv, x)
}

/** Adds the convolution of what a group made of tokens to them: [b h·w c] each. */
export function addResidualConv(
  tokens: Tensor,
  conv: ResidualConv,
  made: Tensor,
  { h, w }: Pick<ImageSize, 'h' | 'w'>,
): Tensor {
  const image = runResidualConv(conv, rearrange(made, 'b (h w) c -> b c h w', { h, w }))
  return tokens.add(rearrange(image, 'b c h w -> b (h w) c'))
}

const leaky = (x: Tensor) => x.leakyRelu(0.2)
/** PyTorch's default slope. */
const barelyLeaky = (x: Tensor) => x.leakyRelu(0.01)

/** Shallow features, blocks that a network adds, and reconstruction. */
export abstract class SuperResolution<O extends FrameOptions> {
  readonly options: O
  conv_first: Conv2d
  norm: LayerNorm
  conv_after_body: ResidualConv
  conv_before_upsample?: readonly [Conv2d, Step]
  upsample?: readonly Step[]
  conv_up1?: Conv2d
  conv_up2?: Conv2d
  conv_up3?: Conv2d
  conv_hr?: Conv2d
  conv_last?: Conv2d

  constructor(init: Init, options: O) {
    const { inChannels, channels, features, upscale, unshuffle } = options
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias: true })
    this.options = options
    this.conv_first = conv(inChannels * unshuffle ** 2, channels)
    this.norm = new LayerNorm(init, channels)
    this.conv_after_body = residualConv(init, options)
    if (options.upsampler === 'pixelshuffledirect') {
      this.upsample = [conv(channels, inChannels * upscale ** 2), (x) => x.pixelShuffle(upscale)]
    } else if (options.upsampler === 'none') {
      this.conv_last = conv(channels, inChannels)
    } else {
      this.conv_before_upsample = [conv(channels, features), barelyLeaky]
      if (options.upsampler === 'pixelshuffle') this.upsample = upsampler(init, upscale, features)
      else {
        if (upscale > 1) this.conv_up1 = conv(features, features)
        if (upscale > 2) this.conv_up2 = conv(features, features)
        if (upscale > 4) this.conv_up3 = conv(features, features)
        this.conv_hr = conv(features, features)
      }
      this.conv_last = conv(features, inChannels)
    }
  }

  /** Deep features: [b channels h w] -> [b channels h w], normalized by `norm`. */
  protected abstract body(shallow: Tensor): Tensor

  /** Sides that the body needs are multiples of this. */
  protected abstract readonly multiple: number

  /** Mean color that is subtracted from the input and added to the output. */
  protected get mean(): Tensor | undefined {
    return this.options.inChannels === 3 ? constant(Float32Array.from(meanColor), [1, 3, 1, 1]) : undefined
  }

  protected pad(image: Tensor, multiple: number): Tensor {
    return padTo(image, multiple, 'reflect')
  }

  /** [b c h w] -> [b c h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { mean } = this
    const { range, unshuffle, upscale } = this.options
    const padded = this.pad(image, this.multiple * unshuffle)
    const centered = mean ? padded.sub(mean) : padded
    const scaled = range === 1 ? centered : centered.mul(range)
    const shallow = this.conv_first.forward(unshuffle === 1 ? scaled : pixelUnshuffle(scaled, unshuffle))
    const deep = runResidualConv(this.conv_after_body, this.body(shallow)).add(shallow)
    const restored = this.#reconstruct(deep, scaled)
    const output = range === 1 ? restored : restored.mul(1 / range)
    return cropLike(mean ? output.add(mean) : output, image, upscale / unshuffle)
  }

  #reconstruct(deep: Tensor, input: Tensor): Tensor {
    const { conv_before_upsample, upsample, conv_hr, conv_last } = this
    if (!conv_last) return runSteps(upsample ?? [], deep)
    if (!conv_before_upsample) return input.add(conv_last.forward(deep))
    const features = runSteps(conv_before_upsample, deep)
    if (!conv_hr) return conv_last.forward(runSteps(upsample ?? [], features))
    const stages = [this.conv_up1, this.conv_up2, this.conv_up3]
    const enlarged = stages.reduce(
      (y, conv) => (conv ? leaky(conv.forward(y.upsampleNearest(2))) : y),
      features,
    )
    return conv_last.forward(leaky(conv_hr.forward(enlarged)))
  }
}

/** Derives the options of the frame, except the range, from the key shapes of a checkpoint. */
export function frameOptionsFromWeights(network: string, shapes: KeyShapes): Omit<FrameOptions, 'range'> {
  const { size } = shapeReader(network, shapes)
  const received = size('conv_first.weight', 1)
  const channels = size('conv_first.weight', 0)
  const residual = residualOf(shapes)
  const features = shapes.get('conv_before_upsample.0.weight')?.[0]
  if (features === undefined) {
    const shuffledChannels = shapes.get('upsample.0.weight')?.[0]
    const common = { channels, residual, features: 64 } as const
    if (shuffledChannels === undefined) {
      const inChannels = size('conv_last.weight', 0)
      return {
        ...common,
        inChannels,
        upscale: 1,
        unshuffle: unshuffleOf(received, inChannels),
        upsampler: 'none',
      }
    }
    const { scale, outChannels } = shuffled(shuffledChannels, received)
    const unshuffle = unshuffleOf(received, outChannels)
    return { ...common, inChannels: outChannels, upscale: scale, unshuffle, upsampler: 'pixelshuffledirect' }
  }
  const inChannels = size('conv_last.weight', 0)
  const common = {
    channels,
    residual,
    features,
    inChannels,
    unshuffle: unshuffleOf(received, inChannels),
  } as const
  if (!shapes.has('conv_hr.weight'))
    return { ...common, upscale: scaleOfUpsampler(shapes, 'upsample.', features), upsampler: 'pixelshuffle' }
  const stages = [1, 2, 3].filter((stage) => shapes.has(`conv_up${stage}.weight`)).length
  return { ...common, upscale: 2 ** stages, upsampler: 'nearest+conv' }
}

function residualOf(shapes: KeyShapes): FrameOptions['residual'] {
  if (shapes.has('conv_after_body.weight')) return '1conv'
  return shapes.has('conv_after_body.0.weight') ? '3conv' : 'identity'
}

function unshuffleOf(received: number, channels: number): number {
  return Math.round(Math.sqrt(received / channels))
}

/** Bytes per pixel of the input that reconstruction takes. */
export function reconstructionBytes({ inChannels, features, upscale, upsampler }: FrameOptions): number {
  const wide = upsampler === 'pixelshuffle' || upsampler === 'nearest+conv'
  return 4 * upscale ** 2 * (wide ? 3 * features : 3 * inChannels)
}
