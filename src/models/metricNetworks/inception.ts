// Inception v3 up to its last pooling, with the weights and the poolings of TensorFlow's FID graph (Heusel et
// al. 2017, arXiv:1706.08500).
// Checkpoint keys: mseitzer/pytorch-fid pt_inception-2015-12-05 (without `fc`).
// Input [b 3 299 299] in [-1, 1].

import { float32Data } from '../../core/data.ts'
import { fixedDim } from '../../core/dims.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { type Init, uniformByFanIn } from '../../nn/init.ts'

type Kernel = number | readonly [h: number, w: number]
/** `padding` keeps the size at stride 1 unless it is 'none'. */
type ConvSpec = readonly [
  channelsIn: number,
  channelsOut: number,
  kernel: Kernel,
  options?: { readonly stride?: number; readonly padding?: 'none' },
]

/** Convolution, batch norm with fixed statistics (eps 0.001, folded into the convolution) and ReLU. */
class ConvNorm {
  readonly conv: { weight: Tensor }
  readonly bn: { weight: Tensor; bias: Tensor; running_mean: Tensor; running_var: Tensor }
  readonly #padding: readonly [h: number, w: number]
  readonly #stride: number

  constructor(init: Init, [channelsIn, channelsOut, kernel, { stride = 1, padding } = {}]: ConvSpec) {
    const [h, w] = typeof kernel === 'number' ? [kernel, kernel] : kernel
    this.conv = { weight: init.weight([channelsOut, channelsIn, h, w], uniformByFanIn(channelsIn * h * w)) }
    this.bn = {
      weight: init.weight([channelsOut], { constant: 1 }),
      bias: init.weight([channelsOut], { constant: 0 }),
      running_mean: init.buffer([channelsOut], 0),
      running_var: init.buffer([channelsOut], 1),
    }
    this.#padding = padding === 'none' ? [0, 0] : [h >> 1, w >> 1]
    this.#stride = stride
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, running_mean, running_var } = this.bn
    const scale = weight.mul(running_var.add(0.001).rsqrt())
    const kernel = this.conv.weight.mul(scale.reshape([-1, 1, 1, 1]))
    const shift = bias.sub(running_mean.mul(scale))
    const [h, w] = this.#padding
    const padded = h === w ? x : x.pad([w, w, h, h])
    return padded.conv2d(kernel, shift, { stride: this.#stride, padding: h === w ? h : 0 }).relu()
  }
}

/** Creates one ConvNorm per name. */
function branches<Name extends string>(
  init: Init,
  specs: Readonly<Record<Name, ConvSpec>>,
): Readonly<Record<Name, ConvNorm>> {
  const entries = Object.entries<ConvSpec>(specs).map(([name, spec]) => [name, new ConvNorm(init, spec)])
  return Object.fromEntries(entries)
}

const through = (x: Tensor, ...convs: readonly ConvNorm[]) => convs.reduce((y, conv) => conv.forward(y), x)

/** Mean over the 3×3 neighbors inside the map: the zero-padded mean, divided by the share inside. */
function meanOfNeighbors(x: Tensor): Tensor {
  const { h, w } = x.axes('b c h w')
  const rows = fixedDim('inception', h)
  const columns = fixedDim('inception', w)
  const inside = (i: number, size: number) => (i === 0 || i === size - 1 ? 2 : 3)
  const shares = Float32Array.from(
    { length: rows * columns },
    (_, i) => 9 / (inside(Math.floor(i / columns), rows) * inside(i % columns, columns)),
  )
  const scale = hostTensor(float32Data(shares, [1, 1, rows, columns]))
  return x.avgPool2d(3, { stride: 1, padding: 1 }).mul(scale)
}

const shrink = (x: Tensor) => x.maxPool2d(3, { stride: 2 })

function mixedA(init: Init, channels: number, pooled: number) {
  const parts = branches(init, {
    branch1x1: [channels, 64, 1],
    branch5x5_1: [channels, 48, 1],
    branch5x5_2: [48, 64, 5],
    branch3x3dbl_1: [channels, 64, 1],
    branch3x3dbl_2: [64, 96, 3],
    branch3x3dbl_3: [96, 96, 3],
    branch_pool: [channels, pooled, 1],
  })
  const forward = (x: Tensor) =>
    cat(
      [
        parts.branch1x1.forward(x),
        through(x, parts.branch5x5_1, parts.branch5x5_2),
        through(x, parts.branch3x3dbl_1, parts.branch3x3dbl_2, parts.branch3x3dbl_3),
        parts.branch_pool.forward(meanOfNeighbors(x)),
      ],
      1,
    )
  return { ...parts, forward }
}

function mixedB(init: Init, channels: number) {
  const parts = branches(init, {
    branch3x3: [channels, 384, 3, { stride: 2, padding: 'none' }],
    branch3x3dbl_1: [channels, 64, 1],
    branch3x3dbl_2: [64, 96, 3],
    branch3x3dbl_3: [96, 96, 3, { stride: 2, padding: 'none' }],
  })
  const forward = (x: Tensor) =>
    cat(
      [
        parts.branch3x3.forward(x),
        through(x, parts.branch3x3dbl_1, parts.branch3x3dbl_2, parts.branch3x3dbl_3),
        shrink(x),
      ],
      1,
    )
  return { ...parts, forward }
}

function mixedC(init: Init, channels: number, inner: number) {
  const parts = branches(init, {
    branch1x1: [channels, 192, 1],
    branch7x7_1: [channels, inner, 1],
    branch7x7_2: [inner, inner, [1, 7]],
    branch7x7_3: [inner, 192, [7, 1]],
    branch7x7dbl_1: [channels, inner, 1],
    branch7x7dbl_2: [inner, inner, [7, 1]],
    branch7x7dbl_3: [inner, inner, [1, 7]],
    branch7x7dbl_4: [inner, inner, [7, 1]],
    branch7x7dbl_5: [inner, 192, [1, 7]],
    branch_pool: [channels, 192, 1],
  })
  const twice = [
    ...[parts.branch7x7dbl_1, parts.branch7x7dbl_2, parts.branch7x7dbl_3],
    ...[parts.branch7x7dbl_4, parts.branch7x7dbl_5],
  ]
  const forward = (x: Tensor) =>
    cat(
      [
        parts.branch1x1.forward(x),
        through(x, parts.branch7x7_1, parts.branch7x7_2, parts.branch7x7_3),
        through(x, ...twice),
        parts.branch_pool.forward(meanOfNeighbors(x)),
      ],
      1,
    )
  return { ...parts, forward }
}

function mixedD(init: Init, channels: number) {
  const parts = branches(init, {
    branch3x3_1: [channels, 192, 1],
    branch3x3_2: [192, 320, 3, { stride: 2, padding: 'none' }],
    branch7x7x3_1: [channels, 192, 1],
    branch7x7x3_2: [192, 192, [1, 7]],
    branch7x7x3_3: [192, 192, [7, 1]],
    branch7x7x3_4: [192, 192, 3, { stride: 2, padding: 'none' }],
  })
  const { branch7x7x3_1, branch7x7x3_2, branch7x7x3_3, branch7x7x3_4 } = parts
  const forward = (x: Tensor) =>
    cat(
      [
        through(x, parts.branch3x3_1, parts.branch3x3_2),
        through(x, branch7x7x3_1, branch7x7x3_2, branch7x7x3_3, branch7x7x3_4),
        shrink(x),
      ],
      1,
    )
  return { ...parts, forward }
}

function mixedE(init: Init, channels: number, pool: (x: Tensor) => Tensor) {
  const parts = branches(init, {
    branch1x1: [channels, 320, 1],
    branch3x3_1: [channels, 384, 1],
    branch3x3_2a: [384, 384, [1, 3]],
    branch3x3_2b: [384, 384, [3, 1]],
    branch3x3dbl_1: [channels, 448, 1],
    branch3x3dbl_2: [448, 384, 3],
    branch3x3dbl_3a: [384, 384, [1, 3]],
    branch3x3dbl_3b: [384, 384, [3, 1]],
    branch_pool: [channels, 192, 1],
  })
  const forward = (x: Tensor) => {
    const single = parts.branch3x3_1.forward(x)
    const double = through(x, parts.branch3x3dbl_1, parts.branch3x3dbl_2)
    const wideAndTall = [
      ...[parts.branch3x3_2a.forward(single), parts.branch3x3_2b.forward(single)],
      ...[parts.branch3x3dbl_3a.forward(double), parts.branch3x3dbl_3b.forward(double)],
    ]
    return cat([parts.branch1x1.forward(x), ...wideAndTall, parts.branch_pool.forward(pool(x))], 1)
  }
  return { ...parts, forward }
}

/** Inception v3: [b 3 299 299] in [-1, 1] -> features [b 2048]. */
export class Inception {
  readonly Conv2d_1a_3x3: ConvNorm
  readonly Conv2d_2a_3x3: ConvNorm
  readonly Conv2d_2b_3x3: ConvNorm
  readonly Conv2d_3b_1x1: ConvNorm
  readonly Conv2d_4a_3x3: ConvNorm
  readonly Mixed_5b: ReturnType<typeof mixedA>
  readonly Mixed_5c: ReturnType<typeof mixedA>
  readonly Mixed_5d: ReturnType<typeof mixedA>
  readonly Mixed_6a: ReturnType<typeof mixedB>
  readonly Mixed_6b: ReturnType<typeof mixedC>
  readonly Mixed_6c: ReturnType<typeof mixedC>
  readonly Mixed_6d: ReturnType<typeof mixedC>
  readonly Mixed_6e: ReturnType<typeof mixedC>
  readonly Mixed_7a: ReturnType<typeof mixedD>
  readonly Mixed_7b: ReturnType<typeof mixedE>
  readonly Mixed_7c: ReturnType<typeof mixedE>

  constructor(init: Init) {
    this.Conv2d_1a_3x3 = new ConvNorm(init, [3, 32, 3, { stride: 2, padding: 'none' }])
    this.Conv2d_2a_3x3 = new ConvNorm(init, [32, 32, 3, { padding: 'none' }])
    this.Conv2d_2b_3x3 = new ConvNorm(init, [32, 64, 3])
    this.Conv2d_3b_1x1 = new ConvNorm(init, [64, 80, 1])
    this.Conv2d_4a_3x3 = new ConvNorm(init, [80, 192, 3, { padding: 'none' }])
    this.Mixed_5b = mixedA(init, 192, 32)
    this.Mixed_5c = mixedA(init, 256, 64)
    this.Mixed_5d = mixedA(init, 288, 64)
    this.Mixed_6a = mixedB(init, 288)
    this.Mixed_6b = mixedC(init, 768, 128)
    this.Mixed_6c = mixedC(init, 768, 160)
    this.Mixed_6d = mixedC(init, 768, 160)
    this.Mixed_6e = mixedC(init, 768, 192)
    this.Mixed_7a = mixedD(init, 768)
    this.Mixed_7b = mixedE(init, 1280, meanOfNeighbors)
    // The last block max-pools: an oddity of the graph behind published figures.
    this.Mixed_7c = mixedE(init, 2048, (x) => x.maxPool2d(3, { stride: 1, padding: 1 }))
  }

  forward(image: Tensor): Tensor {
    const stem = through(image, this.Conv2d_1a_3x3, this.Conv2d_2a_3x3, this.Conv2d_2b_3x3)
    const small = shrink(through(shrink(stem), this.Conv2d_3b_1x1, this.Conv2d_4a_3x3))
    const blocks = [
      ...[this.Mixed_5b, this.Mixed_5c, this.Mixed_5d],
      ...[this.Mixed_6a, this.Mixed_6b, this.Mixed_6c, this.Mixed_6d, this.Mixed_6e],
      ...[this.Mixed_7a, this.Mixed_7b, this.Mixed_7c],
    ]
    return blocks.reduce((x, block) => block.forward(x), small).mean([2, 3])
  }
}
