// Finds how an ONNX graph takes pictures: from its types where they tell, from a few small runs where they do not.

import { toFloat32 } from '../../checkpoints/convert.ts'
import type { OnnxFile, OnnxPort } from '../../checkpoints/onnx.ts'
import { float32Data, type TensorData } from '../../core/data.ts'
import { isOutOfMemory, messageOf, RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import type { Session } from '../../core/session.ts'
import { shownText } from '../../core/text.ts'
import type { InputSize, Sides } from '../../models/networkDescriptor.ts'
import { toPort } from './graphSession.ts'
import type { ImageGraph, ImagePort, PortDType, PortLayout } from './imageGraph.ts'

/** Numbers of channels that pictures have, the likeliest first. */
const pictureChannels = [3, 1, 4]

const largestFixedSide = 4096
const largestBatch = 64
const largestScale = 16

/**
 * Numbers that sides may have to be multiples of, each with a side to try that is no multiple of a later one; the larger ones are tried last,
 * as their runs take longer.
 */
const multiples = [
  [1, 41],
  [2, 46],
  [3, 51],
  [4, 44],
  [6, 66],
  [7, 49],
  [8, 40],
  [12, 60],
  [14, 154],
  [16, 80],
  [24, 72],
  [28, 140],
  [32, 160],
  [48, 144],
  [56, 168],
  [64, 64],
  [128, 128],
] as const

/** Sides that may be the least a network accepts, where it accepts any multiple. */
const minimums = [1, 8, 16, 32]

/** How pictures may go in. */
interface Candidate extends Omit<ImagePort, 'peak'> {
  readonly batch: number | undefined
  /** Undefined where it is free. */
  readonly height: number | undefined
  readonly width: number | undefined
}

/** A run that worked. */
interface Probe {
  readonly candidate: Candidate
  readonly sides: Sides
  readonly x: TensorData
  readonly y: TensorData
  readonly output: Omit<ImagePort, 'peak'>
  readonly scale: number
}

/**
 * Finds layout, type, range, sizes and scale of a graph.
 * @throws RestoreError 'checkpoint' for a graph that does not map one picture to one picture
 */
export async function findImageGraph(file: OnnxFile, session: Session): Promise<ImageGraph> {
  const [input, output] = portsOf(file)
  const prober = new Prober(file, session, output)
  const { probe, size } = await findSize(file, prober, candidatesOf(file, input))
  const peaks = await findPeaks(file, prober, probe)
  const { layout, channels, dtype, batch } = probe.candidate
  return {
    input: { name: input.name, dtype, layout, channels, peak: peaks.input },
    output: { ...probe.output, peak: peaks.output },
    batch,
    size,
    scale: probe.scale,
    parameters: file.parameters,
    widestChannels: file.widestChannels,
    license: file.metadata.get('license'),
  }
}

/**
 * Refuses inputs and outputs that hold no pictures, before a runtime opens the graph.
 * @throws RestoreError 'checkpoint'
 */
export function checkPorts(file: OnnxFile): void {
  const [input, output] = portsOf(file)
  candidatesOf(file, input)
  dtypeOf(file, output)
}

/** What a file of Limpid's own states; undefined in others. */
function statedNumber({ metadata }: OnnxFile, key: string): number | undefined {
  if (metadata.get('range') === undefined) return undefined
  const value = Number(metadata.get(key))
  return Number.isInteger(value) && value >= 1 && value <= 1024 ? value : undefined
}

/** Refuses a graph, with what it has and what is accepted. */
function refused(file: OnnxFile, reason: string): RestoreError {
  const list = (ports: readonly OnnxPort[]) => ports.slice(0, 8).map(describePort).join(', ') || 'none'
  return new RestoreError(
    'checkpoint',
    `${file.name}: expected a graph from one picture to one picture, [b c h w] or [b h w c] of float32, float16 or uint8 with 1, 3 or 4 channels, got the inputs ${list(file.inputs)} and the outputs ${list(file.outputs)}: ${reason}`,
  )
}

/** A port as text, such as `x float32 [1 3 h w]`. */
export function describePort({ name, dtype, shape }: OnnxPort): string {
  const sizes = shape?.map((size) => (typeof size === 'number' ? size : shownText(size ?? '?', 20)))
  return `${shownText(name, 40)} ${dtype ?? 'of another type'} [${sizes?.join(' ') ?? 'any'}]`
}

/** The error for a graph that a runtime does not open. */
export function unopened(name: string, error: unknown): RestoreError {
  return new RestoreError(
    'checkpoint',
    `${name}: expected a graph that ONNX Runtime can open, got one that it refuses (${shownText(messageOf(error), 300)}); check it with onnx.checker, or export it again`,
    { cause: error },
  )
}

function portsOf(file: OnnxFile): readonly [input: OnnxPort, output: OnnxPort] {
  const { inputs, outputs, metadata } = file
  const [input, secondInput] = inputs
  // Limpid's own files name the picture first.
  const [output, secondOutput] = metadata.has('range') ? outputs.slice(0, 1) : outputs
  if (!input || secondInput) throw refused(file, `${inputs.length} inputs`)
  if (!output || secondOutput) throw refused(file, `${outputs.length} outputs`)
  return [input, output]
}

function dtypeOf(file: OnnxFile, { name, dtype }: OnnxPort): PortDType {
  if (dtype === 'float32' || dtype === 'float16' || dtype === 'uint8') return dtype
  throw refused(file, `${shownText(name)} is of another type`)
}

/** Layouts and numbers of channels that the input's type states, or allows where it states none. */
function candidatesOf(file: OnnxFile, input: OnnxPort): readonly Candidate[] {
  const dtype = dtypeOf(file, input)
  const shape = input.shape ?? [undefined, undefined, undefined, undefined]
  if (shape.length !== 4) throw refused(file, `the input has ${shape.length} axes`)
  const numbers = shape.map((size) => (typeof size === 'number' ? size : undefined))
  const [batch, ...rest] = numbers
  const candidates = (['NCHW', 'NHWC'] as const).flatMap((layout) => {
    const [height, width, ownChannels] = layout === 'NHWC' ? rest : [rest[1], rest[2], rest[0]]
    const channels = pictureChannels.filter((count) => ownChannels === undefined || ownChannels === count)
    return channels.map((count) => ({
      isStated: ownChannels !== undefined,
      candidate: { name: input.name, dtype, layout, channels: count, batch, height, width },
    }))
  })
  const stated = candidates.filter(({ isStated }) => isStated)
  const likely = stated.length > 0 ? stated : candidates
  if (likely.length === 0) throw refused(file, 'the input has another number of channels')
  if ((batch ?? 1) > largestBatch) throw refused(file, `more than ${largestBatch} pictures a run`)
  return likely.map(({ candidate }) => candidate)
}

/** Runs a graph on a small picture. */
class Prober {
  readonly #file: OnnxFile
  readonly #session: Session
  readonly #output: OnnxPort
  readonly #dtype: PortDType
  /** Why the first run failed. */
  #failure: string | undefined

  constructor(file: OnnxFile, session: Session, output: OnnxPort) {
    this.#file = file
    this.#session = session
    this.#output = output
    this.#dtype = dtypeOf(file, output)
  }

  /** Runs the graph once; undefined where it fails or gives no picture of the right size. */
  async run(
    candidate: Candidate,
    sides: Sides,
    peak = peakOfType(candidate.dtype),
  ): Promise<Probe | undefined> {
    const x = probePicture(candidate, sides)
    try {
      const results = await this.#session.run({ [candidate.name]: toPort(x, { ...candidate, peak }) })
      const y = results[this.#output.name]
      const found = y && this.#outputOf(y, candidate, sides)
      if (!found)
        this.#failure ??= `an output of [${y?.shape.join(' ')}] for a picture of ${sides.join(' × ')}`
      return found && { candidate, sides, x, y, ...found }
    } catch (error) {
      if (isOutOfMemory(messageOf(error))) throw error
      this.#failure ??= messageOf(error).replace(/\s+/g, ' ')
      return undefined
    }
  }

  /** Refuses a graph of which no run worked. */
  refuse(): RestoreError {
    return refused(this.#file, `no run worked; the first gave ${shownText(this.#failure ?? 'nothing', 300)}`)
  }

  #outputOf(
    { shape }: TensorData,
    { channels, batch = 1 }: Candidate,
    [height, width]: Sides,
  ): Pick<Probe, 'output' | 'scale'> | undefined {
    if (shape.length !== 4 || shape[0] !== batch) return undefined
    for (const layout of ['NCHW', 'NHWC'] as const) {
      const [h = 0, w = 0, c = 0] = layout === 'NHWC' ? shape.slice(1) : [shape[2], shape[3], shape[1]]
      const scale = h / height
      const isScaled = Number.isInteger(scale) && scale >= 1 && scale <= largestScale && w === width * scale
      // Gray stays gray; opacity may come and go.
      const isPicture = channels === 1 ? c === 1 : c === 3 || c === 4
      if (isScaled && isPicture)
        return { scale, output: { name: this.#output.name, dtype: this.#dtype, layout, channels: c } }
    }
    return undefined
  }
}

/** White of a type where it is known; else a guess to begin with. */
function peakOfType(dtype: PortDType): number {
  return dtype === 'uint8' ? 255 : 1
}

/** A picture with detail, [b c h w] in 0..1, the same on every machine. */
function probePicture({ channels, batch = 1 }: Candidate, [height, width]: Sides): TensorData {
  const colors = Math.min(channels, 3)
  const values = new Float32Array(batch * colors * height * width)
  for (let i = 0; i < values.length; i++) {
    const [x, y, plane] = [i % width, Math.floor(i / width) % height, Math.floor(i / (width * height))]
    values[i] = 0.5 + 0.3 * Math.sin(0.21 * x + plane) + 0.18 * Math.cos(0.13 * y - plane)
  }
  return float32Data(values, [batch, colors, height, width])
}

interface FoundSize {
  readonly probe: Probe
  readonly size: InputSize
}

async function findSize(
  file: OnnxFile,
  prober: Prober,
  candidates: readonly Candidate[],
): Promise<FoundSize> {
  for (const candidate of candidates) {
    const { height, width } = candidate
    const fixed = height ?? width
    const found =
      fixed === undefined
        ? await findFreeSize(file, prober, candidate)
        : await findFixedSize(file, prober, candidate, [height ?? fixed, width ?? fixed])
    if (found) return found
  }
  throw prober.refuse()
}

async function findFixedSize(
  file: OnnxFile,
  prober: Prober,
  candidate: Candidate,
  sides: Sides,
): Promise<FoundSize | undefined> {
  if (Math.max(...sides) > largestFixedSide)
    throw refused(file, `a picture of ${sides.join(' × ')}, where sides may be at most ${largestFixedSide}`)
  const probe = await prober.run(candidate, sides)
  return probe && { probe, size: { multipleOf: 1, minimum: 1, fixedTile: sides } }
}

async function findFreeSize(
  file: OnnxFile,
  prober: Prober,
  candidate: Candidate,
): Promise<FoundSize | undefined> {
  const stated = statedNumber(file, 'multipleOf')
  const statedMinimum = statedNumber(file, 'minimum') ?? 1
  const trials =
    stated === undefined ? multiples : [[stated, roundUp(Math.max(40, statedMinimum), stated)] as const]
  for (const [multipleOf, side] of trials) {
    // Two sides, so that height and width cannot be confused.
    const probe = await prober.run(candidate, [side, side + multipleOf])
    if (!probe) continue
    const minimum = stated === undefined ? await findMinimum(prober, probe, multipleOf) : statedMinimum
    return { probe, size: { multipleOf, minimum } }
  }
  return undefined
}

/** The least side that works; smaller pictures are padded to it. */
async function findMinimum(
  prober: Prober,
  { candidate, sides, scale }: Probe,
  multipleOf: number,
): Promise<number> {
  const smaller = minimums.map((side) => roundUp(side, multipleOf)).filter((side) => side < sides[0])
  for (const side of new Set(smaller)) {
    const found = await prober.run(candidate, [side, side])
    if (found?.scale === scale) return side
  }
  return sides[0]
}

interface Peaks {
  readonly input: number
  readonly output: number
}

/** A result this near to the picture, on average, has the right range; networks for 0..1 are the rule. */
const nearError = 0.1

/** Farther results are no pictures. */
const largestError = 0.75

/** White of input and output: 1, unless the type or what comes out says 255. */
async function findPeaks({ metadata }: OnnxFile, prober: Prober, probe: Probe): Promise<Peaks> {
  const { candidate, output, sides } = probe
  if (metadata.get('range') === '0..1') return { input: 1, output: 1 }
  const first = peakOfType(candidate.dtype)
  const tried = [{ input: first, probe }]
  const isKnown = candidate.dtype === 'uint8' || errorOf(probe, 1) <= nearError
  const second = isKnown ? undefined : await prober.run(candidate, sides, 255)
  if (second) tried.push({ input: 255, probe: second })
  const outputs = output.dtype === 'uint8' ? [255] : [1, 255]
  const isCertain = candidate.dtype === 'uint8' || output.dtype === 'uint8'
  const [best, ...others] = tried.flatMap((one) =>
    outputs
      // Floats keep their range from the input to the output.
      .filter((peak) => isCertain || peak === one.input)
      .map((peak) => ({ input: one.input, output: peak, error: errorOf(one.probe, peak) })),
  )
  if (!best) return { input: first, output: first }
  const nearest = others.reduce((a, b) => (b.error < a.error ? b : a), best)
  // Weights that restore little, or nothing yet, are no evidence of another range.
  const isClear = isCertain || (nearest.error < largestError && best.error >= largestError)
  return isClear ? nearest : best
}

/** Contrast of a result relative to that of the picture: others are of another range, or no pictures. */
const [leastContrast, mostContrast] = [0.05, 20]

/**
 * Deviation of a result from the picture, enlarged, where white is `peak`; infinite for results of another contrast, and for values that are
 * not finite.
 */
function errorOf({ x, y, output, sides: [height, width], scale }: Probe, peak: number): number {
  const [picture, values] = [toFloat32(x), toFloat32(y)]
  const [h, w] = [height * scale, width * scale]
  const colors = Math.min(output.channels, 3)
  const [pixelStep, channelStep] = strides(output.layout, output.channels, h * w)
  const expected = new Float32Array(colors * h * w)
  const got = new Float32Array(expected.length)
  for (let c = 0; c < colors; c++) {
    for (let i = 0; i < h * w; i++) {
      const [row, column] = [Math.floor(Math.floor(i / w) / scale), Math.floor((i % w) / scale)]
      const at = c * h * w + i
      expected[at] = picture[(c * height + row) * width + column]!
      got[at] = values[c * channelStep + i * pixelStep]! / peak
    }
  }
  const contrast = deviation(got) / deviation(expected)
  if (!(contrast > leastContrast && contrast < mostContrast)) return Number.POSITIVE_INFINITY
  return Math.sqrt(got.reduce((sum, value, i) => sum + (value - expected[i]!) ** 2, 0) / got.length)
}

function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
}

function strides(
  layout: PortLayout,
  channels: number,
  plane: number,
): readonly [pixel: number, channel: number] {
  return layout === 'NHWC' ? [channels, 1] : [1, plane]
}
