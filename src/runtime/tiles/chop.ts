// Runs a network of one input size on pictures of any size like IPT's authors
// (huawei-noah/Pretrained-IPT@675540e, forward_chop): with windows every quarter of their side, for parity.
// Blended tiles (tile.ts) take a fifth of the work.

import { allFinite, float32Data, type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { crop, type Image } from '../../data/image.ts'
import { totalWeights } from './tile.ts'

/** Options of {@link chop}. */
export interface ChopOptions {
  /** Side of a window, the only one the network accepts. */
  readonly windowPx: number
  /** Output side divided by input side. */
  readonly scale: number
  /** Largest number of windows per run of the network. @default 8 */
  readonly batch?: number
  readonly onWindow?: ((done: number, total: number) => void) | undefined
}

/** Runs the network on windows: [b c p p] -> [b c p·scale p·scale]. */
export type RunWindows = (windows: TensorData) => Promise<TensorData>

/** Enough to read the weights rarely, few enough for the CPU's caches. */
const defaultBatch = 8

/** Windows along one axis, in pixels of the input. */
interface WindowAxis {
  readonly origin: number
  readonly length: number
  readonly starts: readonly number[]
  /** For each start, weights of the lines of its window's output [p·scale]. */
  readonly weights: readonly Float32Array[]
}

/** A part of the result, in pixels of the output, and the layer it is copied from. */
interface LayerPart {
  readonly layer: WindowLayer
  readonly top: number
  readonly left: number
  readonly bottom: number
  readonly right: number
}

/** Weighted mean of the windows at all pairs of starts. */
class WindowLayer {
  readonly rows: WindowAxis
  readonly columns: WindowAxis
  readonly #scale: number
  readonly #sum: Float32Array // [c height width] of the output
  readonly #height: number
  readonly #width: number

  constructor(rows: WindowAxis, columns: WindowAxis, channels: number, scale: number) {
    this.rows = rows
    this.columns = columns
    this.#scale = scale
    this.#height = rows.length * scale
    this.#width = columns.length * scale
    this.#sum = new Float32Array(channels * this.#height * this.#width)
  }

  /** Adds the output of the window at (top, left), if this layer has one there. */
  add(top: number, left: number, output: Image): void {
    const rowWeights = this.rows.weights[this.rows.starts.indexOf(top)]
    const columnWeights = this.columns.weights[this.columns.starts.indexOf(left)]
    if (!rowWeights || !columnWeights) return
    const firstRow = (top - this.rows.origin) * this.#scale
    const firstColumn = (left - this.columns.origin) * this.#scale
    for (let c = 0; c < output.channels; c++) {
      for (let y = 0; y < output.height; y++) {
        const weight = rowWeights[y]!
        if (weight === 0) continue
        const from = (c * output.height + y) * output.width
        const to = (c * this.#height + firstRow + y) * this.#width + firstColumn
        for (let x = 0; x < output.width; x++) {
          const value = weight * columnWeights[x]! * output.data[from + x]!
          this.#sum[to + x] = this.#sum[to + x]! + value
        }
      }
    }
  }

  /** Copies means into a part of the result; coordinates are relative to the picture's top left corner. */
  paint(result: Image, { top, left, bottom, right }: Omit<LayerPart, 'layer'>): void {
    const rowTotals = totalWeights(fromOrigin(this.rows), this.#scale)
    const columnTotals = totalWeights(fromOrigin(this.columns), this.#scale)
    const firstRow = this.rows.origin * this.#scale
    const firstColumn = this.columns.origin * this.#scale
    for (let c = 0; c < result.channels; c++) {
      for (let y = top; y < bottom; y++) {
        const from = (c * this.#height + y - firstRow) * this.#width - firstColumn
        const to = (c * result.height + y) * result.width
        for (let x = left; x < right; x++) {
          const weight = rowTotals[y - firstRow]! * columnTotals[x - firstColumn]!
          result.data[to + x] = this.#sum[from + x]! / weight
        }
      }
    }
  }
}

/** The axis with starts counted from its origin. */
function fromOrigin(axis: WindowAxis): WindowAxis {
  return { ...axis, starts: axis.starts.map((start) => start - axis.origin) }
}

/** Starts of as many windows as fit, every `stride` pixels. */
function regularStarts(length: number, window: number, stride: number): number[] {
  return Array.from({ length: Math.floor((length - window) / stride) + 1 }, (_, i) => i * stride)
}

/** Parts of a picture in the official procedure; later ones overwrite earlier ones. */
function officialParts(
  { width, height, channels }: Image,
  windowPx: number,
  scale: number,
): readonly LayerPart[] {
  const stride = Math.floor(Math.floor(windowPx / 2) / 2)
  const middle = (keepFirst: boolean, keepLast: boolean) => {
    const weights = new Float32Array(windowPx * scale).fill(1)
    if (!keepFirst) weights.fill(0, 0, stride * scale)
    if (!keepLast) weights.fill(0, (windowPx - stride) * scale)
    return weights
  }
  const whole = (origin: number): WindowAxis => {
    return { origin, length: windowPx, starts: [origin], weights: [middle(true, true)] }
  }
  /** Windows contribute their middles; with `hasEdges`, the outermost also contribute their outer edges. */
  const strip = (size: number, hasEdges: boolean): WindowAxis => {
    const starts = regularStarts(size, windowPx, stride)
    const last = starts.length - 1
    const weights = starts.map((_, i) => middle(hasEdges && i === 0, hasEdges && i === last))
    return { origin: 0, length: last * stride + windowPx, starts, weights }
  }
  const remainder = (size: number) => (size - windowPx) % stride
  /** Line at which the bottom or right band takes over. */
  const seam = (size: number) =>
    (size - remainder(size)) * scale - Math.floor(((windowPx - remainder(size)) / 2) * scale)
  const seamRow = seam(height)
  const seamColumn = seam(width)
  const bottom = height * scale
  const right = width * scale
  const first = windowPx * scale
  const edge = stride * scale
  const inner = (size: number, end: number) => Math.min((size - remainder(size) - stride) * scale, end)
  const part = (
    [rows, columns]: readonly [WindowAxis, WindowAxis],
    place: Omit<LayerPart, 'layer'>,
  ): LayerPart => ({ layer: new WindowLayer(rows, columns, channels, scale), ...place })
  return [
    part([whole(0), strip(width, true)], {
      top: 0,
      left: 0,
      bottom: Math.min(first, seamRow),
      right: seamColumn,
    }),
    part([strip(height, true), whole(0)], {
      top: 0,
      left: 0,
      bottom: seamRow,
      right: Math.min(first, seamColumn),
    }),
    part([strip(height, false), strip(width, false)], {
      top: edge,
      left: edge,
      bottom: inner(height, seamRow),
      right: inner(width, seamColumn),
    }),
    part([whole(height - windowPx), strip(width, true)], {
      top: seamRow,
      left: 0,
      bottom,
      right: seamColumn,
    }),
    part([strip(height, true), whole(width - windowPx)], {
      top: 0,
      left: seamColumn,
      bottom: seamRow,
      right,
    }),
    part([whole(height - windowPx), whole(width - windowPx)], {
      top: seamRow,
      left: seamColumn,
      bottom,
      right,
    }),
  ]
}

/**
 * Runs a network of one input size on a picture of any size: [c h w] -> [c h·scale w·scale], not clamped. A
 * picture smaller than a window is reflected up to its size, and the result is cropped.
 * @throws RestoreError 'shape' or 'numeric' for outputs of another size or that are not finite
 */
export async function chop(image: Image, run: RunWindows, options: ChopOptions): Promise<Image> {
  const { windowPx, scale, batch = defaultBatch, onWindow } = options
  const padded = reflectTo(image, windowPx)
  const parts = officialParts(padded, windowPx, scale)
  const windows = windowOrigins(parts)
  const size = evenBatch(windows.length, batch)
  for (let done = 0; done < windows.length; done += size) {
    const origins = windows.slice(done, done + size)
    const outputs = await run(gather(padded, origins, windowPx, size))
    origins.forEach(([top, left], i) => {
      const output = windowOf(outputs, i, [size, padded.channels, windowPx * scale])
      for (const { layer } of parts) layer.add(top, left, output)
    })
    onWindow?.(done + origins.length, windows.length)
  }
  const width = padded.width * scale
  const height = padded.height * scale
  const result = {
    width,
    height,
    channels: padded.channels,
    data: new Float32Array(padded.channels * height * width),
  }
  for (const { layer, ...part } of parts) layer.paint(result, part)
  return padded === image ? result : crop(result, 0, 0, image.height * scale, image.width * scale)
}

type WindowOrigin = readonly [top: number, left: number]

/** Origins of all windows that the layers need, without duplicates. */
function windowOrigins(parts: readonly LayerPart[]): readonly WindowOrigin[] {
  const origins = new Map<string, WindowOrigin>()
  for (const { layer } of parts) {
    for (const top of layer.rows.starts) {
      for (const left of layer.columns.starts) origins.set(`${top} ${left}`, [top, left])
    }
  }
  return [...origins.values()]
}

/**
 * Batch size, from half of the largest up, that wastes the fewest windows in the last run; all runs have one
 * size.
 */
function evenBatch(count: number, largest: number): number {
  let best = Math.min(count, largest)
  const computed = (size: number) => Math.ceil(count / size) * size
  for (let size = best; size >= largest / 2; size--) if (computed(size) < computed(best)) best = size
  return best
}

/** Gathers `batch` windows [b c p p]; missing ones are zero. */
function gather(image: Image, origins: readonly WindowOrigin[], windowPx: number, batch: number): TensorData {
  const size = image.channels * windowPx ** 2
  const values = new Float32Array(batch * size)
  origins.forEach(([top, left], i) => {
    values.set(crop(image, top, left, windowPx, windowPx).data, i * size)
  })
  return float32Data(values, [batch, image.channels, windowPx, windowPx])
}

/** Checks and returns window i of a batch of outputs. */
function windowOf(
  { dtype, shape, bytes }: TensorData,
  i: number,
  [count, channels, side]: readonly [number, number, number],
): Image {
  if (dtype !== 'float32' || shape.join() !== [count, channels, side, side].join()) {
    throw new RestoreError(
      'shape',
      `chop: expected windows float32 [${count} ${channels} ${side} ${side}], got ${dtype} [${shape.join(' ')}]`,
    )
  }
  const size = channels * side * side
  const data = viewAs(bytes, Float32Array).subarray(i * size, (i + 1) * size)
  if (allFinite(data)) return { width: side, height: side, channels, data }
  throw new RestoreError(
    'numeric',
    'restore: expected finite values, got NaN or infinity; the weights may be damaged',
  )
}

/** Reflects an image at the right and bottom, without repeating the edge, up to sides of `minSide`. */
function reflectTo(image: Image, minSide: number): Image {
  const width = Math.max(image.width, minSide)
  const height = Math.max(image.height, minSide)
  if (width === image.width && height === image.height) return image
  const reflected = (index: number, size: number) => {
    const at = size === 1 ? 0 : index % (2 * size - 2)
    return at < size ? at : 2 * size - 2 - at
  }
  const data = new Float32Array(image.channels * height * width)
  for (let c = 0; c < image.channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * image.height + reflected(y, image.height)) * image.width
      const to = (c * height + y) * width
      for (let x = 0; x < width; x++) data[to + x] = image.data[from + reflected(x, image.width)]!
    }
  }
  return { width, height, channels: image.channels, data }
}
