// Rewrites a traced graph so that ONNX Runtime needs fewer passes over memory. Every rewrite is exact algebra
// on weights; results change by rounding only.

import { elementCount, float32Data, viewAs } from '../core/data.ts'
import { roundUp } from '../core/functional.ts'
import type { Graph, GraphNode, NodeOf, Value } from './graph.ts'
import { findHiddenChannels, type HiddenChannels, isDense, isDepthwise } from './hiddenChannels.ts'
import {
  GraphIndex,
  padConstant,
  type Rebuilder,
  rebuild,
  removeDeadNodes,
  sliceConstant,
} from './rewrite.ts'

/** ONNX Runtime's blocked kernels take channels in blocks of 8 (AVX2) or 16 (AVX-512). */
const channelBlock = 16

/** Applies all rewrites, each of which prepares the next. */
export function optimize(graph: Graph): Graph {
  return preluByConvs(cutHiddenRows(regroupChannels(graph)))
}

/** Applies the rewrites of channels, from which libtorch gains too. */
export function regroupChannels(graph: Graph): Graph {
  const cut = pushSlicesThroughConvs(removeDeadNodes(graph))
  return padHiddenChannels(shuffleAfterConvs(cut))
}

function isChannelSlice(node: GraphNode | undefined): node is NodeOf<'slice'> {
  return node?.op === 'slice' && node.attrs.dim === 1 && node.attrs.step === 1
}

/**
 * Moves channel slices into the weights of convolutions, so that no pixels are copied:
 * conv(x; W, b)[s:e] = conv(x; W[s:e], b[s:e]), or conv(x[s:e]; W[s:e], b[s:e]) if
 * depth-wise. Applies if every use of the convolution is such a slice.
 */
export function pushSlicesThroughConvs(graph: Graph): Graph {
  const index = new GraphIndex(graph)
  let isChanged = false
  const rebuilt = rebuild(graph, (node, to) => {
    if (!isChannelSlice(node)) return undefined
    const sliced = node.inputs[0] as Value
    const conv = index.producer(sliced)
    const isOnlySliced = index.users(sliced).every(isChannelSlice) && !index.isOutput(sliced)
    if (!isOnlySliced || !(isDense(conv) || isDepthwise(conv))) return undefined
    isChanged = true
    const { start, end } = node.attrs
    const [x, ...weights] = conv.inputs as [Value, ...Value[]]
    const parts = weights.map((value) => sliceConstant(value, 0, start, end))
    if (conv.attrs.groups === 1) return to.emit('conv2d', [to.of(x), ...parts], conv.attrs)
    const part = to.emit('slice', [to.of(x)], node.attrs)
    return to.emit('conv2d', [part, ...parts], { ...conv.attrs, groups: end - start })
  })
  return isChanged ? pushSlicesThroughConvs(removeDeadNodes(rebuilt)) : graph
}

/** Output channels of W′ below which the zeros among its weights cost less than shuffling more pixels. */
const maxShuffledChannels = 32

/**
 * Moves a pixel shuffle after a convolution with few output channels, as at the end of
 * an upscaling network: conv(shuffle(x); W) = shuffle(conv(x; W′)). W′ holds W once per
 * position in a shuffle block, padded with zeros.
 */
export function shuffleAfterConvs(graph: Graph): Graph {
  const index = new GraphIndex(graph)
  const rebuilt = rebuild(graph, (node, to) => {
    if (!isDense(node)) return undefined
    const [large, weight, bias] = node.inputs as [Value, Value, Value | undefined]
    const shuffle = index.producer(large)
    if (shuffle?.op !== 'pixelShuffle' || index.users(large).length > 1 || index.isOutput(large))
      return undefined
    const { factor } = shuffle.attrs
    const [out = 0, , height = 0, width = 0] = weight.data?.shape ?? []
    const { stride, padding, dilation = 1 } = node.attrs
    const isPlain = stride === 1 && dilation === 1
    const keepsSize = isPlain && height === width && height === 2 * padding + 1
    if (!keepsSize || out * factor ** 2 > maxShuffledChannels) return undefined
    const inputs = [to.of(shuffle.inputs[0] as Value), shuffledWeight(weight, factor)]
    if (bias) inputs.push(repeatConstant(bias, factor ** 2))
    const attrs = { stride: 1, padding: Math.ceil(padding / factor), groups: 1 }
    return to.emit('pixelShuffle', [to.emit('conv2d', inputs, attrs)], { factor })
  })
  return removeDeadNodes(rebuilt)
}

/** W [o c k k] -> W′ [o·f² c·f² k′ k′]: row f·y + i after the shuffle is row y of channel i before it. */
function shuffledWeight(weight: Value, f: number): Value {
  const [out = 0, into = 0, size = 0] = weight.data?.shape ?? []
  const from = viewAs(weight.data?.bytes ?? new Uint8Array(), Float32Array)
  const reach = Math.ceil((size - 1) / 2 / f)
  const side = 2 * reach + 1
  const shape = [out * f * f, into * f * f, side, side]
  const values = new Float32Array(elementCount(shape))
  /** Row and channel, before the shuffle, of a tap of output row i. */
  const sourceOf = (i: number, tap: number) => {
    const row = i + tap - (size - 1) / 2
    return [Math.floor(row / f) + reach, ((row % f) + f) % f] as const
  }
  for (let o = 0; o < out; o++) {
    for (let at = 0; at < f * f * size * size; at++) {
      const i = Math.floor(at / (f * size * size))
      const j = Math.floor(at / (size * size)) % f
      const v = Math.floor(at / size) % size
      const u = at % size
      const [y, p] = sourceOf(i, v)
      const [x, q] = sourceOf(j, u)
      for (let c = 0; c < into; c++) {
        const channel = ((o * f + i) * f + j) * shape[1]! + (c * f + p) * f + q
        values[(channel * side + y) * side + x] = from[((o * into + c) * size + v) * size + u]!
      }
    }
  }
  return { ...weight, shape, data: float32Data(values, shape) }
}

/** Repeats every element of a constant [n]. */
function repeatConstant(value: Value, times: number): Value {
  const from = viewAs(value.data?.bytes ?? new Uint8Array(), Float32Array)
  const values = Float32Array.from({ length: times * from.length }, (_, i) => from[Math.floor(i / times)]!)
  return { ...value, shape: [values.length], data: float32Data(values, [values.length]) }
}

/**
 * Pads hidden channels to whole blocks, unless that adds more than a quarter of the work. Zero weights make
 * the added channels zero, and zero weights ignore them.
 */
export function padHiddenChannels(graph: Graph): Graph {
  const rows = new Map<GraphNode, number>()
  const columns = new Map<GraphNode, number>()
  const inner = new Set<GraphNode>()
  for (const hidden of findHiddenChannels(graph)) {
    const padded = roundUp(hidden.channels, channelBlock)
    if (padded === hidden.channels || padded > 1.25 * hidden.channels) continue
    for (const node of hidden.sources) rows.set(node, padded)
    for (const node of hidden.sinks) columns.set(node, padded)
    for (const node of hidden.inner) {
      inner.add(node)
      if (isDepthwise(node)) rows.set(node, padded)
    }
  }
  return rebuild(graph, (node, to) => {
    if (node.op !== 'conv2d') return inner.has(node) ? emitWith(node, node.inputs.map(to.of), to) : undefined
    const out = rows.get(node)
    const into = columns.get(node)
    if (out === undefined && into === undefined) return undefined
    const [x, weight, bias] = node.inputs as [Value, Value, Value | undefined]
    const taller = out === undefined ? weight : padConstant(weight, 0, out)
    const wider = into === undefined ? taller : padConstant(taller, 1, into)
    const groups = isDepthwise(node) && out !== undefined ? out : node.attrs.groups
    const biases = bias === undefined ? [] : [out === undefined ? bias : padConstant(bias, 0, out)]
    return to.emit('conv2d', [to.of(x), wider, ...biases], { ...node.attrs, groups })
  })
}

/**
 * Computes PReLU by depth-wise convolutions of one pixel, prelu(x) = x + (1 − slope) · relu(−x): on the CPU ONNX
 * Runtime leaves its blocked layout of channels for a PRelu node, and copies every map twice. In WebAssembly both
 * take the same time.
 */
export function preluByConvs(graph: Graph): Graph {
  const index = new GraphIndex(graph)
  return rebuild(graph, (node, to) => {
    if (node.op !== 'prelu') return undefined
    const [x, slope] = node.inputs as [Value, Value]
    if (!slope.data || slope.dtype !== 'float32' || !isDense(index.producer(x))) return undefined
    const slopes = viewAs(slope.data.bytes, Float32Array)
    const channels = slopes.length
    if (channels % channelBlock !== 0) return undefined
    const scaled = (value: Value, factor: (c: number) => number, name: string) => {
      const shape = [channels, 1, 1, 1]
      const data = float32Data(
        Float32Array.from(slopes, (_, c) => factor(c)),
        shape,
      )
      const attrs = { stride: 1, padding: 0, groups: channels }
      return to.emit('conv2d', [value, { shape, dtype: 'float32', name, data }], attrs)
    }
    const below = to.emit('relu', [scaled(to.of(x), () => -1, `${slope.name}.negated`)], {})
    return to.emit('add', [to.of(x), scaled(below, (c) => 1 - slopes[c]!, `${slope.name}.below`)], {})
  })
}

/** Emits a node's op with other inputs. */
function emitWith(node: GraphNode, inputs: readonly Value[], to: Rebuilder): Value {
  return to.emit(node.op, inputs, node.attrs)
}

/**
 * Hidden maps above this size exceed the processor's cache and dominate peak memory;
 * maps of few channels gain nothing from bands.
 */
const largeMapBytes = 2 ** 23
const fewChannels = 64
/** Target size of a band. Short bands compute too many rows twice; many bands are slow to load. */
const bandBytes = 2 ** 22
const minBandRows = 16
const maxBands = 16

/**
 * Computes wide hidden channels in bands of rows, each from the rows it needs. Full-resolution hidden maps
 * are never in memory as a whole, and a band is still in the processor's cache when it is used.
 */
export function cutHiddenRows(graph: Graph): Graph {
  const wide = new Map<GraphNode, HiddenChannels>()
  for (const hidden of findHiddenChannels(graph)) {
    const [sink] = hidden.sinks
    if (sink && hidden.sinks.size === 1 && isWide(hidden, sink)) wide.set(sink, hidden)
  }
  if (wide.size === 0) return graph
  const index = new GraphIndex(graph)
  const rebuilt = rebuild(graph, (node, to) => {
    const hidden = wide.get(node)
    if (!hidden) return undefined
    const rowsOf = rowComputer(hidden, index, to)
    const bands = bandsOf(hidden.channels, node.output.shape.slice(2) as [number, number])
    return to.emit(
      'cat',
      bands.map((rows) => rowsOf(node.output, rows)),
      { dim: 2 },
    )
  })
  return removeDeadNodes(rebuilt)
}

function isWide({ channels, sources, inner }: HiddenChannels, sink: NodeOf<'conv2d'>): boolean {
  const [, , h, w] = sink.inputs[0]?.shape ?? []
  // Named sizes may turn out small, and a thousand extra nodes take long to load.
  if (typeof h !== 'number' || typeof w !== 'number') return false
  const isLarge = channels > fewChannels && 4 * channels * h * w >= largeMapBytes
  return isLarge && [sink, ...sources, ...inner].every((node) => keepsRows(node, h))
}

/** Whether a node keeps the height and computes each output row from nearby input rows. */
function keepsRows(node: GraphNode, height: number): boolean {
  if (node.output.shape[2] !== height) return false
  if (node.op !== 'conv2d') return true
  const { stride, padding } = node.attrs
  return stride === 1 && node.inputs[1]?.shape[2] === 2 * padding + 1
}

interface Rows {
  readonly start: number
  readonly end: number
}

function bandsOf(channels: number, [height, width]: readonly [number, number]): readonly Rows[] {
  const bandRows = Math.max(minBandRows, Math.floor(bandBytes / (4 * channels * width)))
  const count = Math.min(Math.ceil(height / bandRows), maxBands)
  const edge = (i: number) => Math.round((i * height) / count)
  return Array.from({ length: count }, (_, i) => ({ start: edge(i), end: edge(i + 1) }))
}

/** Returns a function that computes rows of a value from the rows it depends on, each once. */
function rowComputer({ sources, inner, sinks }: HiddenChannels, index: GraphIndex, to: Rebuilder) {
  const cut = new Set<GraphNode>([...sources, ...inner, ...sinks])
  const computed = new Map<Value, Map<string, Value>>()
  const compute = (value: Value, rows: Rows): Value => {
    const known = computed.get(value) ?? new Map<string, Value>()
    computed.set(value, known)
    const key = `${rows.start}:${rows.end}`
    const result = known.get(key) ?? computeRows(value, rows)
    known.set(key, result)
    return result
  }
  const computeRows = (value: Value, { start, end }: Rows): Value => {
    const node = index.producer(value)
    if (!node || !cut.has(node)) return to.emit('slice', [to.of(value)], { dim: 2, start, end, step: 1 })
    if (node.op !== 'conv2d') return emitWith(node, rowsOf(node.inputs, { start, end }), to)
    const [x, ...weights] = node.inputs as [Value, ...Value[]]
    const { padding } = node.attrs
    if (padding === 0) return to.emit('conv2d', [compute(x, { start, end }), ...weights], node.attrs)
    const available = {
      start: Math.max(start - padding, 0),
      end: Math.min(end + padding, x.shape[2] as number),
    }
    // ONNX Runtime fuses zero padding into the following convolution.
    const sides = [padding, padding, available.start - start + padding, end + padding - available.end]
    const padded = to.emit('pad', [compute(x, available)], { padding: sides, mode: 'constant', value: 0 })
    return to.emit('conv2d', [padded, ...weights], { ...node.attrs, padding: 0 })
  }
  const rowsOf = (values: readonly Value[], rows: Rows) => values.map((value) => compute(value, rows))
  return compute
}
