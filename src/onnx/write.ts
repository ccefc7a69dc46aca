// Writes ONNX files: a minimal encoder for the protobuf messages of onnx.proto (IR
// version 9) that a network needs.

import { type DType, dtypeBytes, elementCount, type TensorData } from '../core/data.ts'
import type { Shape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import { onnxDataTypes } from '../core/onnxDataTypes.ts'

/** An integer, a list of integers, a string or a float. */
export type Attribute = number | readonly number[] | string | { readonly float: number }

export interface OnnxNode {
  readonly opType: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

interface OnnxValue {
  readonly name: string
  readonly dtype: DType
  readonly shape: Shape
}

export interface OnnxModel {
  readonly opset: number
  readonly nodes: readonly OnnxNode[]
  readonly initializers: ReadonlyMap<string, TensorData>
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly metadata: Readonly<Record<string, string>>
}

const utf8 = new TextEncoder()

/** Character codes of a text, or undefined if it is not ASCII. */
function asciiOf(text: string): number[] | undefined {
  const codes = new Array<number>(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return undefined
    codes[i] = code
  }
  return codes
}

/**
 * A protobuf message under construction. Small fields are copied; large byte arrays are
 * kept by reference until `finish`.
 */
class Message {
  readonly #parts: (number[] | Uint8Array)[] = []
  /** The last part, while small fields can be appended to it. */
  #open: number[] | undefined
  length = 0

  #append(bytes: ArrayLike<number>): void {
    if (!this.#open) {
      this.#open = []
      this.#parts.push(this.#open)
    }
    for (let i = 0; i < bytes.length; i++) this.#open.push(bytes[i]!)
    this.length += bytes.length
  }

  #appendParts(parts: readonly (number[] | Uint8Array)[], length: number): void {
    for (const part of parts) this.#parts.push(part)
    this.#open = undefined
    this.length += length
  }

  #varint(value: number): void {
    if (!Number.isSafeInteger(value))
      throw new RestoreError('trace', `ONNX: expected an integer, got ${value}`)
    const bytes: number[] = []
    let rest = value
    if (value < 0) {
      // Negative numbers are encoded as 64 bits, in ten bytes.
      let bits = BigInt.asUintN(64, BigInt(value))
      for (; bits > 127n; bits >>= 7n) bytes.push(Number(bits & 127n) | 128)
      rest = Number(bits)
    }
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
    bytes.push(rest)
    this.#append(bytes)
  }

  int(field: number, value: number): this {
    this.#varint(field * 8)
    this.#varint(value)
    return this
  }

  float(field: number, value: number): this {
    this.#varint(field * 8 + 5)
    this.#append(new Uint8Array(Float32Array.of(value).buffer))
    return this
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + 2)
    this.#varint(value.length)
    this.#appendParts([value], value.length)
    return this
  }

  text(field: number, value: string): this {
    // A graph has thousands of short names, for which TextEncoder is ten times slower than reading codes.
    const bytes = asciiOf(value) ?? utf8.encode(value)
    this.#varint(field * 8 + 2)
    this.#varint(bytes.length)
    this.#append(bytes)
    return this
  }

  message(field: number, value: Message): this {
    this.#varint(field * 8 + 2)
    this.#varint(value.length)
    this.#appendParts(value.#parts, value.length)
    return this
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.length)
    let at = 0
    for (const part of this.#parts) {
      out.set(part, at)
      at += part.length
    }
    return out
  }
}

function attributeMessage(name: string, value: Attribute): Message {
  const message = new Message().text(1, name)
  if (typeof value === 'number') return message.int(3, value).int(20, 2)
  if (typeof value === 'string') return message.text(4, value).int(20, 3)
  if ('float' in value) return message.float(2, value.float).int(20, 1)
  for (const item of value) message.int(8, item)
  return message.int(20, 7)
}

function nodeMessage({ opType, inputs, outputs, attributes }: OnnxNode): Message {
  const message = new Message()
  for (const name of inputs) message.text(1, name)
  for (const name of outputs) message.text(2, name)
  message.text(3, outputs[0] ?? opType).text(4, opType)
  for (const [name, value] of Object.entries(attributes)) message.message(5, attributeMessage(name, value))
  return message
}

function tensorMessage(name: string, { dtype, shape, bytes }: TensorData): Message {
  if (bytes.length !== elementCount(shape) * dtypeBytes[dtype]) {
    throw new RestoreError(
      'trace',
      `constant ${name}: expected ${elementCount(shape)} values, got ${bytes.length} bytes`,
    )
  }
  const message = new Message()
  for (const size of shape) message.int(1, size)
  return message.int(2, onnxDataTypes[dtype]).text(8, name).bytes(9, bytes)
}

function valueMessage({ name, dtype, shape }: OnnxValue): Message {
  const dims = new Message()
  for (const size of shape) {
    dims.message(1, typeof size === 'number' ? new Message().int(1, size) : new Message().text(2, size))
  }
  const tensor = new Message().int(1, onnxDataTypes[dtype]).message(2, dims)
  return new Message().text(1, name).message(2, new Message().message(1, tensor))
}

/** Size limit of a protobuf message. */
const maxBytes = 2 ** 31 - 1

/** Encodes an .onnx file with its weights inside. */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const graph = new Message().text(2, 'limpid')
  for (const node of model.nodes) graph.message(1, nodeMessage(node))
  for (const [name, data] of model.initializers) graph.message(5, tensorMessage(name, data))
  for (const value of model.inputs) graph.message(11, valueMessage(value))
  for (const value of model.outputs) graph.message(12, valueMessage(value))

  const file = new Message().int(1, 9).text(2, 'limpid').message(7, graph)
  file.message(8, new Message().text(1, '').int(2, model.opset))
  for (const [key, value] of Object.entries(model.metadata)) {
    file.message(14, new Message().text(1, key).text(2, value))
  }
  if (file.length > maxBytes) {
    throw new RestoreError(
      'trace',
      `ONNX: expected a model below 2 GiB, got ${file.length} bytes; use libtorch (--backend torch) instead`,
    )
  }
  return file.finish()
}
