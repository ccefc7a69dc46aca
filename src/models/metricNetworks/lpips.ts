// LPIPS, learned perceptual image patch similarity (Zhang et al. 2018, arXiv:1801.03924), version 0.1.
// Checkpoint keys: torchvision's alexnet or vgg16 (`features.0.weight` …) and
// richzhang/PerceptualSimilarity's heads (`lin0.model.1.weight` …).

import { float32Data } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import type { Tensor } from '../../core/tensor.ts'
import { type Init, uniformByFanIn } from '../../nn/init.ts'
import type { KeyShapes } from '../../nn/keyShapes.ts'

export type LpipsBackbone = 'alexnet' | 'vgg16'

type BackboneLayer = Conv | ((x: Tensor) => Tensor)

class Conv {
  weight: Tensor // [out in kernel kernel]
  bias: Tensor // [out]
  readonly stride: number
  readonly padding: number

  constructor(init: Init, [channelsIn, channelsOut, kernel]: ConvSize, stride = 1, padding = kernel >> 1) {
    const distribution = uniformByFanIn(channelsIn * kernel * kernel)
    this.weight = init.weight([channelsOut, channelsIn, kernel, kernel], distribution)
    this.bias = init.weight([channelsOut], distribution)
    this.stride = stride
    this.padding = padding
  }

  forward(x: Tensor): Tensor {
    return x.conv2d(this.weight, this.bias, this)
  }
}

type ConvSize = readonly [channelsIn: number, channelsOut: number, kernel: number]

const relu = (x: Tensor) => x.relu()

function alexnet(init: Init): BackboneLayer[] {
  const pool = (x: Tensor) => x.maxPool2d(3, { stride: 2 })
  return [
    ...[new Conv(init, [3, 64, 11], 4, 2), relu, pool],
    ...[new Conv(init, [64, 192, 5]), relu, pool],
    ...[new Conv(init, [192, 384, 3]), relu],
    ...[new Conv(init, [384, 256, 3]), relu],
    ...[new Conv(init, [256, 256, 3]), relu],
  ]
}

function vgg16(init: Init): BackboneLayer[] {
  const pool = (x: Tensor) => x.maxPool2d(2)
  const stages = [
    [3, 64, 2],
    [64, 128, 2],
    [128, 256, 3],
    [256, 512, 3],
    [512, 512, 3],
  ] as const
  return stages.flatMap(([channelsIn, channels, count], stage) => {
    const convs = Array.from(
      { length: count },
      (_, i) => new Conv(init, [i === 0 ? channelsIn : channels, channels, 3]),
    )
    return [...(stage > 0 ? [pool] : []), ...convs.flatMap((conv) => [conv, relu])]
  })
}

const backbones = {
  alexnet: { create: alexnet, taps: [1, 4, 7, 9, 11], channels: [64, 192, 384, 256, 256] },
  vgg16: { create: vgg16, taps: [3, 8, 15, 22, 29], channels: [64, 128, 256, 512, 512] },
} as const

const identity = (x: Tensor) => x

/** Channel weights [1 c 1 1] as a 1×1 convolution, after a dropout that does nothing here. */
class Head {
  readonly model: readonly [(x: Tensor) => Tensor, { weight: Tensor }]

  constructor(init: Init, channels: number) {
    this.model = [identity, { weight: init.weight([1, channels, 1, 1], uniformByFanIn(channels)) }]
  }

  forward(x: Tensor): Tensor {
    return x.conv2d(this.model[1].weight, undefined)
  }
}

/** Mean and deviation of ImageNet's colors, for values in [-1, 1]. */
const colorMean = [-0.03, -0.088, -0.188]
const colorDeviation = [0.458, 0.448, 0.45]

const perChannel = (values: readonly number[]) =>
  hostTensor(float32Data(Float32Array.from(values), [1, values.length, 1, 1]))

/** LPIPS distance of two images. */
export class Lpips {
  readonly features: readonly BackboneLayer[]
  readonly lin0: Head
  readonly lin1: Head
  readonly lin2: Head
  readonly lin3: Head
  readonly lin4: Head
  readonly #taps: readonly number[]

  constructor(init: Init, backbone: LpipsBackbone) {
    const { create, taps, channels } = backbones[backbone]
    this.features = create(init)
    this.#taps = taps
    this.lin0 = new Head(init, channels[0])
    this.lin1 = new Head(init, channels[1])
    this.lin2 = new Head(init, channels[2])
    this.lin3 = new Head(init, channels[3])
    this.lin4 = new Head(init, channels[4])
  }

  /** Two images [b 3 h w] in [-1, 1] -> their distances [b 1 1 1]. */
  forward(reference: Tensor, output: Tensor): Tensor {
    const others = this.#unitFeatures(output)
    const heads = [this.lin0, this.lin1, this.lin2, this.lin3, this.lin4]
    const distances = this.#unitFeatures(reference).map((features, i) => {
      const difference = features.sub(others[i]!)
      return heads[i]!.forward(difference.mul(difference)).mean([2, 3], { keepDim: true })
    })
    return distances.reduce((total, distance) => total.add(distance))
  }

  /** Features at five depths, scaled to length 1 at every pixel. */
  #unitFeatures(image: Tensor): Tensor[] {
    const features: Tensor[] = []
    this.features.reduce(
      (x, layer, i) => {
        const y = layer instanceof Conv ? layer.forward(x) : layer(x)
        if (this.#taps.includes(i)) {
          const length = y.mul(y).sum([1], { keepDim: true }).sqrt()
          features.push(y.div(length.add(1e-10)))
        }
        return y
      },
      image.sub(perChannel(colorMean)).div(perChannel(colorDeviation)),
    )
    return features
  }
}

/** Recognizes the backbone from key shapes. @throws RestoreError 'checkpoint' for neither */
export function lpipsBackbone(shapes: KeyShapes): LpipsBackbone {
  const kernel = shapes.get('features.0.weight')?.[2]
  if (kernel === 11) return 'alexnet'
  if (kernel === 3) return 'vgg16'
  throw new RestoreError(
    'checkpoint',
    `LPIPS: expected features.0.weight of AlexNet (11×11) or VGG-16 (3×3), got ${kernel === undefined ? 'none' : `${kernel}×${kernel}`}`,
  )
}
