import { RestoreError } from '../core/errors.ts'
import type { Tensor } from '../core/tensor.ts'
import { Conv2d } from './conv.ts'
import type { Init } from './init.ts'
import type { KeyShapes } from './keyShapes.ts'

/** One layer of a list like nn.Sequential. */
export type Step = { forward(x: Tensor): Tensor } | ((x: Tensor) => Tensor)

/**
 * EDSR's upsampler (arXiv:1707.02921 §3.2): a 3×3 convolution and a pixel shuffle per
 * factor of 2, or one for 3; none for 1.
 */
export function upsampler(init: Init, scale: number, channels: number): readonly Step[] {
  return factorsOf(scale).flatMap((factor): Step[] => [
    new Conv2d(init, channels, factor * factor * channels, { kernel: 3, bias: true }),
    (x) => x.pixelShuffle(factor),
  ])
}

/** Factors of the stages that enlarge. @throws RestoreError 'usage' for a scale other than 3 and powers of 2 */
export function factorsOf(scale: number): readonly number[] {
  if (scale === 3) return [3]
  const doublings = Math.log2(scale)
  if (Number.isInteger(doublings) && doublings >= 0) return new Array<number>(doublings).fill(2)
  throw new RestoreError('usage', `upsampler: expected a scale of 3 or a power of 2, got ${scale}`)
}

/** Infers an upsampler's scale from the shapes of its convolutions; `prefix` ends with a dot. */
export function scaleOfUpsampler(shapes: KeyShapes, prefix: string, channels: number): number {
  let scale = 1
  for (let step = 0; ; step += 2) {
    const shape = shapes.get(`${prefix}${step}.weight`)
    if (!shape) return scale
    scale *= Math.round(Math.sqrt((shape[0] ?? 0) / channels))
  }
}

/**
 * Infers the scale and channels of a pixel shuffle from its input channels: those of the image if they fit,
 * else 3, 4 or 1, which is ambiguous for few numbers only.
 */
export function shuffled(
  shuffledChannels: number,
  imageChannels: number,
): { readonly scale: number; readonly outChannels: number } {
  for (const outChannels of [imageChannels, 3, 4, 1]) {
    const scale = Math.sqrt(shuffledChannels / outChannels)
    if (Number.isInteger(scale)) return { scale, outChannels }
  }
  throw new RestoreError(
    'checkpoint',
    `pixel shuffle: expected a square number of channels for each of 1, 3 or 4, got ${shuffledChannels}`,
  )
}

/** Applies layers in sequence. */
export function runSteps(steps: readonly Step[], x: Tensor): Tensor {
  return steps.reduce((y, step) => (typeof step === 'function' ? step(y) : step.forward(y)), x)
}
