// Small ONNX files for tests of `--weights model.onnx`: one convolution, or a formula, in every layout and type that such files have.

import { type DType, float32Data, type TensorData } from '../src/core/data.ts'
import { onnxDataTypes } from '../src/core/onnxDataTypes.ts'
import { type Attribute, type OnnxModel, type OnnxNode, writeOnnx } from '../src/onnx/write.ts'

type Sizes = readonly (number | string)[]

/** How a graph takes and gives pictures. */
export interface GraphOptions {
  readonly input: Sizes
  readonly output: Sizes
  readonly inputType?: DType
  readonly outputType?: DType
  readonly isNhwc?: boolean
  /** Value of white. */
  readonly peak?: number
  readonly channels?: number
  readonly scale?: number
  /** What sides must be multiples of: shuffled in and out again. */
  readonly multipleOf?: number
  readonly metadata?: Readonly<Record<string, string>>
}

/** 1 - 0.8 x, blurred by [1 2 1] across, for each channel: no symmetry, and no picture stays what it is. */
export const formula = { slope: -0.8, offset: 0.9, kernel: [0.25, 0.5, 0.25] } as const

export function node(
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): OnnxNode {
  return { opType, inputs, outputs: [output], attributes }
}

function scalar(value: number): TensorData {
  return float32Data(Float32Array.of(value), [])
}

/** A graph of the formula. */
export function graphModel(options: GraphOptions): OnnxModel {
  const { inputType = 'float32', outputType = inputType, peak = 1, channels = 3 } = options
  const { isNhwc = false, scale = 1, multipleOf = 1, metadata = {} } = options
  const weight = new Float32Array(channels * channels * 3)
  for (let c = 0; c < channels; c++)
    weight.set(
      formula.kernel.map((one) => one * formula.slope),
      (c * channels + c) * 3,
    )
  const bias = new Float32Array(channels).fill(formula.offset)
  const nodes: OnnxNode[] = []
  let last = 'in'
  const then = (opType: string, others: readonly string[] = [], attributes: OnnxNode['attributes'] = {}) => {
    const output = `v${nodes.length}`
    nodes.push(node(opType, [last, ...others], output, attributes))
    last = output
  }
  if (inputType !== 'float32') then('Cast', [], { to: onnxDataTypes.float32 })
  if (isNhwc) then('Transpose', [], { perm: [0, 3, 1, 2] })
  if (peak !== 1) then('Div', ['peak'])
  if (multipleOf !== 1) then('SpaceToDepth', [], { blocksize: multipleOf })
  if (multipleOf !== 1) then('DepthToSpace', [], { blocksize: multipleOf })
  then('Conv', ['weight', 'bias'], { kernel_shape: [1, 3], pads: [0, 1, 0, 1] })
  if (scale !== 1)
    then('Resize', ['', 'scales'], {
      mode: 'nearest',
      nearest_mode: 'floor',
      coordinate_transformation_mode: 'asymmetric',
    })
  if (peak !== 1) then('Mul', ['peak'])
  if (isNhwc) then('Transpose', [], { perm: [0, 2, 3, 1] })
  if (outputType === 'uint8') then('Clip', ['zero', 'white'])
  if (outputType === 'uint8') then('Round')
  if (outputType !== 'float32') then('Cast', [], { to: onnxDataTypes[outputType] })
  then('Identity')
  const final = nodes.at(-1) as OnnxNode
  nodes[nodes.length - 1] = { ...final, outputs: ['out'] }
  return {
    opset: 17,
    nodes,
    initializers: usedBy(nodes, [
      ['weight', float32Data(weight, [channels, channels, 1, 3])],
      ['bias', float32Data(bias, [channels])],
      ['peak', scalar(peak)],
      ['zero', scalar(0)],
      ['white', scalar(255)],
      ['scales', float32Data(Float32Array.of(1, 1, scale, scale), [4])],
    ]),
    inputs: [{ name: 'in', dtype: inputType, shape: options.input }],
    outputs: [{ name: 'out', dtype: outputType, shape: options.output }],
    metadata,
  }
}

/** The constants that nodes name. */
function usedBy(
  nodes: readonly OnnxNode[],
  constants: readonly (readonly [string, TensorData])[],
): ReadonlyMap<string, TensorData> {
  const names = new Set(nodes.flatMap(({ inputs }) => inputs))
  return new Map(constants.filter(([name]) => names.has(name)))
}

/** Bytes of such a file. */
export function graphFile(options: GraphOptions): Uint8Array {
  return writeOnnx(graphModel(options))
}
