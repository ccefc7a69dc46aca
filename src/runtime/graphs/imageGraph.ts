// An ONNX graph that maps pictures to pictures: what is found about it, and its description as a network.

import { defaultTiling, type InputSize, type NetworkDescription } from '../../models/networkDescriptor.ts'
import type { ModelId } from '../../registry/networks.ts'

/** Id of a network; 'onnx' for the graph of a file. */
export type NetworkId = ModelId | 'onnx'

/** A network that restores pictures: one of the table, or the graph of a file. */
export type RestoringNetwork = NetworkDescription<NetworkId>

/** Order of a port's axes. */
export type PortLayout = 'NCHW' | 'NHWC'

export type PortDType = 'float32' | 'float16' | 'uint8'

/** An input or output that holds pictures. */
export interface ImagePort {
  readonly name: string
  readonly dtype: PortDType
  readonly layout: PortLayout
  /** 1 (gray), 3 (RGB) or 4 (RGB and opacity). */
  readonly channels: number
  /** Value of white: 1 or 255. */
  readonly peak: number
}

/** What is found about a graph; plain data, which can be sent between processes. */
export interface ImageGraph {
  readonly input: ImagePort
  readonly output: ImagePort
  /** Pictures per run; undefined where any number is accepted. */
  readonly batch?: number | undefined
  readonly size: InputSize
  /** Output side divided by input side. */
  readonly scale: number
  readonly parameters: number
  readonly widestChannels: number
  /** License that the file states. */
  readonly license?: string | undefined
}

/** Memory of a session without weights. */
const sessionBytes = 120e6

/** Maps that are alive at once, at the widest layer: an estimate, as no graph states it. */
const liveMaps = 3

/** Widest layers of real networks at full resolution; wider ones have smaller maps. */
const maxWidth = 512

/** Describes a graph as a network with one input `x` [b c h w] and one output `y`, both in 0..1. */
export function describeGraph(graph: ImageGraph): NetworkDescription<'onnx'> {
  const { input, output, batch = 1, size, scale, parameters, widestChannels } = graph
  return {
    id: 'onnx',
    license: undefined,
    options: { input: { ...input }, output: { ...output }, batch, scale },
    inputs: { x: 'b c h w' },
    outputs: ['y'],
    size,
    scale,
    channels: { input: colorsOf(input), output: colorsOf(output) },
    tiling: { ...defaultTiling, batch },
    memory: {
      fixedBytes: sessionBytes + 8 * parameters,
      bytesPerPixel: 4 * liveMaps * Math.min(widestChannels, maxWidth) * scale ** 2,
    },
    role: { kind: 'restores' },
    check: () => {},
  }
}

/** Channels without opacity. */
export function colorsOf({ channels }: ImagePort): number {
  return Math.min(channels, 3)
}
