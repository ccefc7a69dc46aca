// Reads what an ONNX file states about itself, sparingly: its ports, the operators it needs, where its weights are, its metadata. Values of
// tensors are skipped. Field numbers: onnx.proto of onnx/onnx, wire format: protobuf. Also runs in browsers.

import { type DType, dtypeBytes } from '../core/data.ts'
import { onnxDataTypes } from '../core/onnxDataTypes.ts'
import { listNames, shownText } from '../core/text.ts'
import { ByteCursor } from './byteCursor.ts'
import { type ByteSource, malformed, within } from './checkpoint.ts'
import { safeProduct } from './tensorViews.ts'

/** An input or output of a graph. */
export interface OnnxPort {
  readonly name: string
  /** Undefined for types that no picture has. */
  readonly dtype: DType | undefined
  /** Sizes, names of sizes that are free, undefined for free ones without a name; undefined if it states none. */
  readonly shape: readonly (number | string | undefined)[] | undefined
}

/** Weights that lie in another file. */
export interface ExternalTensor {
  readonly name: string
  /** Path as the file states it. */
  readonly location: string
  readonly offset: number
  readonly bytes: number
  /** Whether it is an initializer of the main graph, the only place for weights of other files. */
  readonly isInitializer: boolean
}

/** What an ONNX file states about itself. */
export interface OnnxFile {
  /** File name for messages. */
  readonly name: string
  readonly producer: string
  /** Version of ONNX's own operators. */
  readonly opset: number
  readonly inputs: readonly OnnxPort[]
  readonly outputs: readonly OnnxPort[]
  readonly metadata: ReadonlyMap<string, string>
  readonly external: readonly ExternalTensor[]
  /** Operators outside ONNX's own, which the file does not define either, as `domain.Name`. */
  readonly customOperators: readonly string[]
  /** Values of its initializers. */
  readonly parameters: number
  /** Most channels that one of its weights produces. */
  readonly widestChannels: number
}

/** Whether a file begins as an ONNX file does: with the version of its format. */
export function isOnnx(source: ByteSource): boolean {
  if (source.size < 8) return false
  const head = source.read(0, 8)
  // A safetensors file may begin with the same two bytes, but its header is never that long.
  return head[0] === 0x08 && head[1]! > 0 && head[1]! < 0x40 && (head[6] !== 0 || head[7] !== 0)
}

/**
 * Reads an ONNX file.
 * @throws RestoreError 'checkpoint' for a file that is cut short or damaged
 */
export function readOnnx(source: ByteSource): OnnxFile {
  return within(source.name, () => new OnnxReader(source).read())
}

/**
 * Refuses files that would make a runtime run or read what is not theirs.
 * @throws RestoreError 'checkpoint' for custom operators, and for weights in other files but initializers
 */
export function checkOnnx({ name, customOperators, external }: OnnxFile): void {
  if (customOperators.length > 0)
    throw malformed(
      `${name}: expected operators of ONNX alone, got ${listNames(customOperators)}, which need code of others; export the network again without them`,
    )
  const hidden = external.find(({ isInitializer }) => !isInitializer)
  if (hidden)
    throw malformed(
      `${name}: expected weights of other files among the initializers alone, got ${shownText(hidden.name)} elsewhere; save it again as one file`,
    )
}

/** Deepest nesting of graphs, and of messages in them. */
const maxDepth = 24
/** Nodes and tensors of any network. */
const maxItems = 1_000_000
const maxTextBytes = 2 ** 20

const dtypes = new Map(Object.entries(onnxDataTypes).map(([dtype, type]) => [type, dtype as DType]))

/** A field of a message: a number, or bytes that end at `end`. */
interface Field {
  readonly number: number
  readonly value: number
  /** Undefined for a number. */
  readonly end: number | undefined
}

class OnnxReader {
  readonly #name: string
  readonly #cursor: ByteCursor
  readonly #size: number
  readonly #inputs: OnnxPort[] = []
  readonly #outputs: OnnxPort[] = []
  readonly #initializers = new Set<string>()
  readonly #metadata = new Map<string, string>()
  readonly #external: ExternalTensor[] = []
  readonly #operators = new Set<string>()
  readonly #functions = new Set<string>()
  #producer = ''
  #opset = 0
  #hasGraph = false
  #items = 0
  #parameters = 0
  #widestChannels = 1

  constructor(source: ByteSource) {
    this.#name = source.name
    this.#size = source.size
    this.#cursor = new ByteCursor(source)
  }

  read(): OnnxFile {
    this.#fields(this.#size, ({ number, end }) => {
      if (end === undefined) return
      if (number === 2) this.#producer = this.#text(end)
      else if (number === 7) this.#graph(end, 0)
      else if (number === 8) this.#opsetImport(end)
      else if (number === 14) this.#entry(end, this.#metadata)
      else if (number === 25) this.#function(end)
    })
    if (!this.#hasGraph) throw malformed('expected an ONNX file with a graph, got none: it is damaged')
    return {
      name: this.#name,
      producer: this.#producer,
      opset: this.#opset,
      // Old files list their weights as inputs too.
      inputs: this.#inputs.filter(({ name }) => !this.#initializers.has(name)),
      outputs: this.#outputs,
      metadata: this.#metadata,
      external: this.#external,
      customOperators: [...this.#operators].filter((name) => !this.#functions.has(name)),
      parameters: this.#parameters,
      widestChannels: this.#widestChannels,
    }
  }

  /** Calls `onField` for every field up to `end`; what it leaves of a field is skipped. */
  #fields(end: number, onField: (field: Field) => void): void {
    const cursor = this.#cursor
    while (cursor.position < end) {
      const key = this.#varint()
      const [number, wire] = [Math.floor(key / 8), key % 8]
      if (wire === 0) onField({ number, value: this.#varint(), end: undefined })
      else if (wire === 1) cursor.skip(8)
      else if (wire === 5) cursor.skip(4)
      else if (wire === 2) {
        const length = this.#varint()
        if (length < 0 || length > end - cursor.position)
          throw malformed(
            `expected ${length} bytes at ${cursor.position}, but ${end - cursor.position} are left: it is cut short or damaged`,
          )
        const last = cursor.position + length
        onField({ number, value: 0, end: last })
        cursor.skip(last - cursor.position)
      } else throw malformed(`expected a field at byte ${cursor.position}, got type ${wire}: it is damaged`)
    }
    if (cursor.position !== end)
      throw malformed(`expected a message to end at byte ${end}: it is cut short or damaged`)
  }

  /** A whole number of 64 bits. */
  #varint(): number {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#cursor.uint8()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return Number(BigInt.asIntN(64, value))
    }
    throw malformed(`expected a number at byte ${this.#cursor.position}: it is damaged`)
  }

  #text(end: number): string {
    const length = end - this.#cursor.position
    if (length > maxTextBytes) throw malformed(`a text of ${length} bytes is longer than any network needs`)
    return this.#cursor.looseUtf8(length)
  }

  #count(depth: number): void {
    if (depth > maxDepth) throw malformed(`its graphs are nested more than ${maxDepth} deep`)
    if (++this.#items > maxItems) throw malformed(`it has more than ${maxItems} nodes and tensors`)
  }

  #opsetImport(end: number): void {
    let [domain, version] = ['', 0]
    this.#fields(end, ({ number, value, end: last }) => {
      if (number === 1 && last !== undefined) domain = this.#text(last)
      if (number === 2 && last === undefined) version = value
    })
    if (isOwnDomain(domain)) this.#opset = version
  }

  #entry(end: number, entries: Map<string, string>): void {
    let [key, text] = ['', '']
    this.#fields(end, ({ number, end: last }) => {
      if (last === undefined) return
      if (number === 1) key = this.#text(last)
      if (number === 2) text = this.#text(last)
    })
    entries.set(key, text)
  }

  #function(end: number): void {
    let [name, domain] = ['', '']
    this.#fields(end, ({ number, end: last }) => {
      if (last === undefined) return
      if (number === 1) name = this.#text(last)
      else if (number === 10) domain = this.#text(last)
      else if (number === 7) this.#node(last, 1)
      else if (number === 11) this.#attribute(last, 1)
    })
    this.#functions.add(`${domain}.${name}`)
  }

  #graph(end: number, depth: number): void {
    this.#count(depth)
    const isMain = depth === 0
    this.#hasGraph = true
    this.#fields(end, ({ number, end: last }) => {
      if (last === undefined) return
      if (number === 1) this.#node(last, depth + 1)
      else if (number === 5) {
        const name = this.#tensor(last, depth + 1, isMain)
        if (isMain) this.#initializers.add(name)
      } else if (number === 15) this.#sparseTensor(last, depth + 1)
      else if (number === 11 && isMain) this.#inputs.push(this.#port(last))
      else if (number === 12 && isMain) this.#outputs.push(this.#port(last))
    })
  }

  #node(end: number, depth: number): void {
    this.#count(depth)
    let [type, domain] = ['', '']
    this.#fields(end, ({ number, end: last }) => {
      if (last === undefined) return
      if (number === 4) type = this.#text(last)
      else if (number === 7) domain = this.#text(last)
      else if (number === 5) this.#attribute(last, depth + 1)
    })
    if (!isOwnDomain(domain)) this.#operators.add(`${domain}.${type}`)
  }

  #attribute(end: number, depth: number): void {
    this.#count(depth)
    this.#fields(end, ({ number, end: last }) => {
      if (last === undefined) return
      if (number === 5 || number === 10) this.#tensor(last, depth + 1, false)
      else if (number === 6 || number === 11) this.#graph(last, depth + 1)
      else if (number === 22 || number === 23) this.#sparseTensor(last, depth + 1)
    })
  }

  #sparseTensor(end: number, depth: number): void {
    this.#count(depth)
    this.#fields(end, ({ number, end: last }) => {
      if (last !== undefined && (number === 1 || number === 2)) this.#tensor(last, depth + 1, false)
    })
  }

  /** Checks a tensor's size, and returns its name. */
  #tensor(end: number, depth: number, isInitializer: boolean): string {
    this.#count(depth)
    let [name, type, location] = ['', 0, 0]
    let rawBytes: number | undefined
    const shape: number[] = []
    const stored = new Map<string, string>()
    this.#fields(end, ({ number, value, end: last }) => {
      if (number === 1) {
        if (last === undefined) shape.push(value)
        else while (this.#cursor.position < last) shape.push(this.#varint())
      } else if (number === 2 && last === undefined) type = value
      else if (number === 8 && last !== undefined) name = this.#text(last)
      else if (number === 9 && last !== undefined) rawBytes = last - this.#cursor.position
      else if (number === 13 && last !== undefined) this.#entry(last, stored)
      else if (number === 14 && last === undefined) location = value
      if (shape.length > 32) throw malformed(`tensor '${shownText(name)}': has more than 32 dimensions`)
    })
    const label = `tensor '${shownText(name)}'`
    const dtype = dtypes.get(type)
    if (shape.some((size) => size < 0)) throw malformed(`${label}: has the impossible shape [${shape}]`)
    const count = within(label, () => safeProduct(shape))
    const bytes = dtype === undefined ? undefined : count * dtypeBytes[dtype]
    if (rawBytes !== undefined && bytes !== undefined && rawBytes !== bytes)
      throw malformed(`${label}: expected ${bytes} bytes for ${dtype} [${shape}], got ${rawBytes}`)
    if (location !== 0 || stored.size > 0) {
      const [offset, length] = ['offset', 'length'].map((key) => Number(stored.get(key) ?? Number.NaN))
      this.#external.push({
        name,
        location: stored.get('location') ?? '',
        offset: offset || 0,
        bytes: length || bytes || 0,
        isInitializer,
      })
    }
    if (isInitializer) {
      this.#parameters += count
      if (shape.length >= 2) this.#widestChannels = Math.max(this.#widestChannels, shape[0]!)
      if (shape.length === 2) this.#widestChannels = Math.max(this.#widestChannels, shape[1]!)
    }
    return name
  }

  #port(end: number): OnnxPort {
    let name = ''
    let dtype: DType | undefined
    let shape: OnnxPort['shape']
    this.#fields(end, ({ number, end: last }) => {
      if (last === undefined) return
      if (number === 1) name = this.#text(last)
      // A type is that of a tensor, field 1, or of something else.
      if (number !== 2) return
      this.#fields(last, (kind) => {
        if (kind.number !== 1 || kind.end === undefined) return
        this.#fields(kind.end, (part) => {
          if (part.number === 1 && part.end === undefined) dtype = dtypes.get(part.value)
          if (part.number === 2 && part.end !== undefined) shape = this.#shape(part.end)
        })
      })
    })
    return { name, dtype, shape }
  }

  #shape(end: number): OnnxPort['shape'] & object {
    const shape: (number | string | undefined)[] = []
    this.#fields(end, ({ number, end: last }) => {
      if (number !== 1 || last === undefined) return
      let size: number | string | undefined
      this.#fields(last, (dim) => {
        if (dim.number === 1 && dim.end === undefined) size = dim.value > 0 ? dim.value : undefined
        if (dim.number === 2 && dim.end !== undefined) size = this.#text(dim.end) || undefined
      })
      shape.push(size)
    })
    return shape
  }
}

/** Whether operators of a domain are ONNX's own. */
function isOwnDomain(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx'
}
