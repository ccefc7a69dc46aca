// Windows of an image as tokens [b·windows n c], and the shifted windows of Swin (arXiv:2103.14030 §3.2). Between blocks the tokens stay in the
// order of windows: all but attention treats each token alone.

import { type Dim, divideDims } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import { roundUp } from '../core/functional.ts'
import { constant, constantIndices } from '../core/hostBackend.ts'
import { rearrange } from '../core/rearrange.ts'
import type { Tensor } from '../core/tensor.ts'

/** Height and width of a window in pixels. */
export type WindowSize = readonly [height: number, width: number]

/** Size of a batch of images; a graph for any size has names for numbers. */
export interface ImageSize<D extends Dim = Dim> {
  readonly b: D
  readonly h: D
  readonly w: D
}

/** [b c h w] -> [b·windows n c], where h and w are multiples of the window's. */
export function toWindows(image: Tensor, [y, x]: WindowSize): Tensor {
  return rearrange(image, 'b c (i y) (j x) -> (b i j) (y x) c', { y, x })
}

/** Undoes `toWindows`: [b·windows n c] -> [b c h w]. */
export function fromWindows(tokens: Tensor, [y, x]: WindowSize, { b, h, w }: ImageSize): Tensor {
  const i = divideDims(h, y)
  const j = divideDims(w, x)
  if (i === undefined || j === undefined)
    throw new RestoreError('shape', `windows: expected sides divisible by ${y} and ${x}, got ${h} × ${w}`)
  return rearrange(tokens, '(b i j) (y x) c -> b c (i y) (j x)', { b, i, j, y, x })
}

/** Logits between parts of the image that only the cyclic shift makes neighbors. */
const apart = -100

/** Cyclic shift of windows for images of one size. */
export class WindowShift {
  /** Added to logits [b windows heads n n]: [windows 1 n n]. */
  readonly mask: Tensor
  readonly #forth: Tensor // [b·windows n]
  readonly #back: Tensor

  /** @param maskedLogit added to logits of pixels that must not see each other @default -100, Swin's */
  constructor(
    size: ImageSize<number>,
    window: WindowSize,
    shift: readonly [y: number, x: number],
    maskedLogit = apart,
  ) {
    const { b, h, w } = size
    const shape = [(b * h * w) / (window[0] * window[1]), window[0] * window[1]]
    const forth: number[] = []
    const back = new Array<number>(b * h * w)
    for (const [image, y, x] of pixelsByWindow(size, window)) {
      const from = tokenAt(image, (y + shift[0]) % h, (x + shift[1]) % w, size, window)
      back[from] = forth.length
      forth.push(from)
    }
    this.#forth = constantIndices(forth, shape)
    this.#back = constantIndices(back, shape)
    this.mask = maskOf(size, window, shift, maskedLogit)
  }

  /** Tokens of windows -> tokens of the windows shifted down and right. */
  apply(tokens: Tensor): Tensor {
    return tokens.reshape([-1, tokens.size(2)]).embedding(this.#forth)
  }

  /** Undoes `apply`. */
  undo(tokens: Tensor): Tensor {
    return tokens.reshape([-1, tokens.size(2)]).embedding(this.#back)
  }
}

interface WindowOptions {
  readonly window: WindowSize
  /** Pixels by which windows are shifted down and right. @default none */
  readonly shift?: readonly [y: number, x: number]
  /** The image is padded with zeros to multiples of this. */
  readonly multiple: number
}

/** Windows of images of one size whose pixels are tokens in rows, [b h·w c]. */
export class PixelWindows {
  readonly #makeMask: (() => Tensor) | undefined
  #mask: Tensor | undefined
  readonly #size: ImageSize<number>
  readonly #padding: readonly [bottom: number, right: number]
  readonly #forth: Tensor // [b·windows n]
  readonly #back: Tensor // [b h·w]

  constructor(size: ImageSize<number>, { window, shift = [0, 0], multiple }: WindowOptions) {
    const { b, h, w } = size
    const padded = { b, h: roundUp(h, multiple), w: roundUp(w, multiple) }
    const forth: number[] = []
    const back = new Array<number>(b * h * w)
    for (const [image, y, x] of pixelsByWindow(padded, window)) {
      const row = (y + shift[0]) % padded.h
      const column = (x + shift[1]) % padded.w
      if (row < h && column < w) back[(image * h + row) * w + column] = forth.length
      forth.push((image * padded.h + row) * padded.w + column)
    }
    const n = window[0] * window[1]
    this.#size = size
    this.#padding = [padded.h - h, padded.w - w]
    this.#forth = constantIndices(forth, [forth.length / n, n])
    this.#back = constantIndices(back, [b, h * w])
    if (shift[0] + shift[1] > 0) this.#makeMask = () => maskOf(padded, window, shift, apart)
  }

  /** Added to logits [b windows heads n n]: [windows 1 n n]; undefined without a shift. */
  get mask(): Tensor | undefined {
    this.#mask ??= this.#makeMask?.()
    return this.#mask
  }

  /** [b h·w c] -> [b·windows n c]. */
  apply(pixels: Tensor): Tensor {
    const { b, h, w } = this.#size
    const c = pixels.size(2)
    const [bottom, right] = this.#padding
    const padded = bottom + right > 0 ? pixels.reshape([b, h, w, c]).pad([0, 0, 0, right, 0, bottom]) : pixels
    return padded.reshape([-1, c]).embedding(this.#forth)
  }

  /** Undoes `apply`: [b·windows n c] -> [b h·w c]. */
  undo(tokens: Tensor): Tensor {
    return tokens.reshape([-1, tokens.size(2)]).embedding(this.#back)
  }
}

/** Pixels in the order of tokens. */
function* pixelsByWindow(
  { b, h, w }: ImageSize<number>,
  [height, width]: WindowSize,
): Generator<readonly [image: number, y: number, x: number]> {
  for (let image = 0; image < b; image++)
    for (let top = 0; top < h; top += height)
      for (let left = 0; left < w; left += width)
        for (let y = top; y < top + height; y++) for (let x = left; x < left + width; x++) yield [image, y, x]
}

/** Index of a pixel's token. */
function tokenAt(
  image: number,
  y: number,
  x: number,
  { h, w }: ImageSize<number>,
  [height, width]: WindowSize,
): number {
  const row = Math.floor(y / height)
  const column = Math.floor(x / width)
  const windowIndex = (image * h) / height + row
  const n = height * width
  return (windowIndex * (w / width) + column) * n + (y - row * height) * width + (x - column * width)
}

/** Masks pixels of a shifted window that come from opposite borders of the image. */
function maskOf(
  { h, w }: ImageSize<number>,
  window: WindowSize,
  shift: readonly [number, number],
  maskedLogit: number,
): Tensor {
  const n = window[0] * window[1]
  const regions = [...pixelsByWindow({ b: 1, h, w }, window)].map(
    ([, y, x]) => 2 * Number(y >= h - shift[0]) + Number(x >= w - shift[1]),
  )
  const windows = regions.length / n
  const mask = new Float32Array(windows * n * n)
  for (let i = 0; i < windows * n; i++) {
    const first = i - (i % n)
    for (let j = 0; j < n; j++) if (regions[i] !== regions[first + j]) mask[i * n + j] = maskedLogit
  }
  return constant(mask, [windows, 1, n, n])
}
