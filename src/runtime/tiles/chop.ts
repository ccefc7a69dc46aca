// Pictures of any size through a network that takes one size only, as IPT's authors do it (huawei-noah/Pretrained-IPT@675540e,
// forward_chop): windows every quarter of their side, for parity. Tiles that fade into one another (tile.ts) take a fifth of the work.

import { allFinite, float32Data, type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { crop, type Image } from '../../data/image.ts'

export interface ChopOptions {
  /** Side of a window, the only one that the network takes. */
  readonly windowPx: number
  /** Side of the network's output over that of its input. */
  readonly scale: number
  /** Windows in one run of the network. */
  readonly batch?: number
  readonly onWindow?: ((done: number, total: number) => void) | undefined
}

/** The network on windows: [b c p p] -> [b c p·scale p·scale]. */
export type RunWindows = (windows: TensorData) => Promise<TensorData>

/** Enough for the weights to be read seldom, few enough for the processor's caches. */
const defaultBatch = 8

/** Windows along one axis; sizes and places in pixels of the input. */
interface Axis {
  readonly origin: number
  readonly length: number
  readonly starts: readonly number[]
  /** For each start, what the lines of its window's output weigh: [p·scale]. */
  readonly weights: readonly Float32Array[]
}

/** A part of the result, from which layer it is taken; in pixels of the output. */
interface Part {
  readonly layer: Layer
  readonly top: number
  readonly left: number
  readonly bottom: number
  readonly right: number
}

/** The weighted mean of the windows at all pairs of starts. */
class Layer {
  readonly rows: Axis
  readonly columns: Axis
  readonly #scale: number
  readonly #sum: Float32Array // [c height width] of the output
  readonly #height: number
  readonly #width: number

  constructor(rows: Axis, columns: Axis, channels: number, scale: number) {
    this.rows = rows
    this.columns = columns
    this.#scale = scale
    this.#height = rows.length * scale
    this.#width = columns.length * scale
    this.#sum = new Float32Array(channels * this.#height * this.#width)
  }

  /** Adds the output of the window at (top, left), where this layer has one there. */
  add(top: number, left: number, output: Image): void {
    const rowWeights = this.rows.weights[this.rows.starts.indexOf(top)]
    const columnWeights = this.columns.weights[this.columns.starts.indexOf(left)]
    if (!rowWeights || !columnWeights) return
    const firstRow = (top - this.rows.origin) * this.#scale
    const firstColumn = (left - this.columns.origin) * this.#scale
    for (let c = 0; c < output.channels; c++) {
      for (let y = 0; y < output.height; y++) {
        const weight = rowWeights[y] as number
        if (weight === 0) continue
        const from = (c * output.height + y) * output.width
        const to = (c * this.#height + firstRow + y) * this.#width + firstColumn
        for (let x = 0; x < output.width; x++) {
          const value = weight * (columnWeights[x] as number) * (output.data[from + x] as number)
          this.#sum[to + x] = (this.#sum[to + x] as number) + value
        }
      }
    }
  }

  /** Copies means into a part of the result; both count from the picture's top left corner. */
  paint(result: Image, { top, left, bottom, right }: Omit<Part, 'layer'>): void {
    const rowTotals = totals(this.rows, this.#scale)
    const columnTotals = totals(this.columns, this.#scale)
    const [down, across] = [this.rows.origin * this.#scale, this.columns.origin * this.#scale]
    for (let c = 0; c < result.channels; c++) {
      for (let y = top; y < bottom; y++) {
        const from = (c * this.#height + y - down) * this.#width - across
        const to = (c * result.height + y) * result.width
        for (let x = left; x < right; x++) {
          const weight = (rowTotals[y - down] as number) * (columnTotals[x - across] as number)
          result.data[to + x] = (this.#sum[from + x] as number) / weight
        }
      }
    }
  }
}

/** What all windows of an axis weigh on each line of the output. */
function totals({ origin, length, starts, weights }: Axis, scale: number): Float32Array {
  const total = new Float32Array(length * scale)
  starts.forEach((start, i) => {
    weights[i]?.forEach((weight, line) => {
      const at = (start - origin) * scale + line
      total[at] = (total[at] as number) + weight
    })
  })
  return total
}

/** Starts every `stride` pixels of as many windows as fit. */
function regularStarts(length: number, window: number, stride: number): number[] {
  return Array.from({ length: Math.floor((length - window) / stride) + 1 }, (_, i) => i * stride)
}

/** The parts of a picture in the official procedure, later ones over earlier ones. */
function officialParts({ width, height, channels }: Image, windowPx: number, scale: number): readonly Part[] {
  const stride = Math.floor(Math.floor(windowPx / 2) / 2)
  const middle = (keepFirst: boolean, keepLast: boolean) => {
    const weights = new Float32Array(windowPx * scale).fill(1)
    if (!keepFirst) weights.fill(0, 0, stride * scale)
    if (!keepLast) weights.fill(0, (windowPx - stride) * scale)
    return weights
  }
  const whole = (origin: number): Axis => {
    return { origin, length: windowPx, starts: [origin], weights: [middle(true, true)] }
  }
  /** Windows give their middles; the outermost also their outer edges, where `edges` asks for them. */
  const strip = (size: number, edges: boolean): Axis => {
    const starts = regularStarts(size, windowPx, stride)
    const last = starts.length - 1
    const weights = starts.map((_, i) => middle(edges && i === 0, edges && i === last))
    return { origin: 0, length: last * stride + windowPx, starts, weights }
  }
  const cut = (size: number) => (size - windowPx) % stride
  /** Where the bottom or right band takes over from what is before it. */
  const seam = (size: number) => (size - cut(size)) * scale - Math.floor(((windowPx - cut(size)) / 2) * scale)
  const [seamRow, seamColumn] = [seam(height), seam(width)]
  const [bottom, right] = [height * scale, width * scale]
  const layer = (rows: Axis, columns: Axis) => new Layer(rows, columns, channels, scale)
  const [first, edge] = [windowPx * scale, stride * scale]
  const inner = (size: number, end: number) => Math.min((size - cut(size) - stride) * scale, end)
  return [
    {
      layer: layer(whole(0), strip(width, true)),
      ...{ top: 0, left: 0, bottom: Math.min(first, seamRow), right: seamColumn },
    },
    {
      layer: layer(strip(height, true), whole(0)),
      ...{ top: 0, left: 0, bottom: seamRow, right: Math.min(first, seamColumn) },
    },
    {
      layer: layer(strip(height, false), strip(width, false)),
      ...{ top: edge, left: edge, bottom: inner(height, seamRow), right: inner(width, seamColumn) },
    },
    {
      layer: layer(whole(height - windowPx), strip(width, true)),
      ...{ top: seamRow, left: 0, bottom, right: seamColumn },
    },
    {
      layer: layer(strip(height, true), whole(width - windowPx)),
      ...{ top: 0, left: seamColumn, bottom: seamRow, right },
    },
    {
      layer: layer(whole(height - windowPx), whole(width - windowPx)),
      ...{ top: seamRow, left: seamColumn, bottom, right },
    },
  ]
}

/**
 * Runs a network that takes windows of one size on a picture of any size: [c h w] -> [c h·scale w·scale], not clamped. A
 * picture smaller than a window is reflected up to its size, and the result cut.
 */
export async function chop(image: Image, run: RunWindows, options: ChopOptions): Promise<Image> {
  const { windowPx, scale, batch = defaultBatch, onWindow } = options
  const padded = reflectTo(image, windowPx)
  const parts = officialParts(padded, windowPx, scale)
  const windows = placesOf(parts)
  const size = evenBatch(windows.length, batch)
  for (let done = 0; done < windows.length; done += size) {
    const places = windows.slice(done, done + size)
    const outputs = await run(gather(padded, places, windowPx, size))
    places.forEach(([top, left], i) => {
      const output = windowOf(outputs, i, [size, padded.channels, windowPx * scale])
      for (const { layer } of parts) layer.add(top, left, output)
    })
    onWindow?.(done + places.length, windows.length)
  }
  const [width, height] = [padded.width * scale, padded.height * scale]
  const result = {
    width,
    height,
    channels: padded.channels,
    data: new Float32Array(padded.channels * height * width),
  }
  for (const { layer, ...part } of parts) layer.paint(result, part)
  return padded === image ? result : crop(result, 0, 0, image.height * scale, image.width * scale)
}

type Place = readonly [top: number, left: number]

/** Every window that a layer needs, once. */
function placesOf(parts: readonly Part[]): readonly Place[] {
  const places = new Map<string, Place>()
  for (const { layer } of parts) {
    for (const top of layer.rows.starts) {
      for (const left of layer.columns.starts) places.set(`${top} ${left}`, [top, left])
    }
  }
  return [...places.values()]
}

/** The batch, from half of the largest up, that leaves the least empty in the last run: all runs have the same size. */
function evenBatch(count: number, largest: number): number {
  let best = Math.min(count, largest)
  const computed = (size: number) => Math.ceil(count / size) * size
  for (let size = best; size >= largest / 2; size--) if (computed(size) < computed(best)) best = size
  return best
}

/** `batch` windows; where there are fewer, the rest is zero. */
function gather(image: Image, places: readonly Place[], windowPx: number, batch: number): TensorData {
  const size = image.channels * windowPx ** 2
  const values = new Float32Array(batch * size)
  places.forEach(([top, left], i) => {
    values.set(crop(image, top, left, windowPx, windowPx).data, i * size)
  })
  return float32Data(values, [batch, image.channels, windowPx, windowPx])
}

/** Window i of a batch of outputs, checked. */
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

/** Mirrored at the right and bottom, the edge not repeated, until no side is below `least`. */
function reflectTo(image: Image, least: number): Image {
  const [width, height] = [Math.max(image.width, least), Math.max(image.height, least)]
  if (width === image.width && height === image.height) return image
  const mirrored = (index: number, size: number) => {
    const at = size === 1 ? 0 : index % (2 * size - 2)
    return at < size ? at : 2 * size - 2 - at
  }
  const data = new Float32Array(image.channels * height * width)
  for (let c = 0; c < image.channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * image.height + mirrored(y, image.height)) * image.width
      const to = (c * height + y) * width
      for (let x = 0; x < width; x++) data[to + x] = image.data[from + mirrored(x, image.width)] as number
    }
  }
  return { width, height, channels: image.channels, data }
}
