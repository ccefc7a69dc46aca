// limpid export: a network as an ONNX file, checked before it is called done.

import { basename, extname } from 'node:path'
import { toFloat32 } from '../../checkpoints/convert.ts'
import { elementCount, float32Data, type TensorData } from '../../core/data.ts'
import type { Dim } from '../../core/dims.ts'
import { RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import type { NamedData } from '../../core/session.ts'
import type { License } from '../../models/modelCard.ts'
import { onlySize } from '../../models/networkDescriptor.ts'
import { toOnnx } from '../../onnx/compile.ts'
import { trace } from '../../onnx/tracer.ts'
import { embeddedCard, licenseOf } from '../../registry/cards.ts'
import { type LoadedModel, loadModel } from '../../registry/loadModel.ts'
import { resolveModel } from '../../runtime/resolveModel.ts'
import { onnxSession } from '../../runtime/session/nodeOnnxSession.ts'
import type { ExportOptions } from '../commands/networks.ts'
import { checkOutput, fileOf, refuseOnStdout } from '../io/outputPlan.ts'
import { printResult, reporter } from '../io/shell.ts'
import { writeResult } from '../io/writeResult.ts'
import { readWeights } from './readWeights.ts'

/**
 * Largest difference allowed to the eager result, relative to its largest value: float32 rounding through a
 * deep network.
 */
const tolerance = 1e-4

export async function exportCommand(given: string, options: ExportOptions): Promise<void> {
  const source = options.model ?? options.weights ?? 'network'
  const output = fileOf(given, 'OUTPUT', `${basename(source, extname(source))}.onnx`)
  refuseOnStdout([output], options)
  checkOutput(output, options.overwrite)
  const progress = reporter(options)
  const { model, metadata, license } = openModel(options)
  if (license.isCommercial === false) progress.show(license.note)
  const { traced, checked } = sizesOf(options, model)
  progress.show('tracing and optimizing')
  const inputs = Object.keys(model.inputs).map((name) => inputOf(name, model, traced))
  const bytes = graphOf(model, inputs, metadata)
  progress.show('checking against the eager result')
  const samples = Object.keys(model.inputs).map((name) => sampleOf(inputOf(name, model, checked)))
  const difference = await compareWithEager(bytes, model, Object.fromEntries(samples))
  writeResult(output, bytes, options)
  progress.done()
  if (output === '-') return
  const summary = `${output}, largest difference to libtorch ${difference.toExponential(1)}`
  const shapes = Object.fromEntries(inputs.map(({ name, shape }) => [name, shape]))
  printResult(options, { output, inputs: shapes, bytes: bytes.length, difference }, summary)
}

function openModel(request: ExportOptions): {
  readonly model: LoadedModel
  readonly metadata: Metadata
  readonly license: License
} {
  const { model, weights, tensors, task, options } = request
  if (model === undefined && weights === undefined)
    throw new RestoreError('usage', 'export: expected --model ID or --weights FILE, got neither')
  const found = resolveModel({ model, weights, tensors, task })
  const checkpoint = readWeights(found.weights, request)
  const loaded = loadModel(checkpoint, { ...found.overrides, ...options })
  const { title, task: trainedTask } = { ...embeddedCard(checkpoint.metadata), ...found.card }
  const license = licenseOf({
    metadata: checkpoint.metadata,
    card: found.card,
    official: loaded.license,
  })
  const facts = { title, task: trainedTask, license: license.title }
  return { model: loaded, metadata: { ...namedTexts(facts), ...describe(loaded) }, license }
}

/** Texts that an ONNX file carries, by name. */
type Metadata = Readonly<Record<string, string>>

function namedTexts(facts: Readonly<Record<string, unknown>>): Metadata {
  const texts = Object.entries(facts).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value]] : [],
  )
  return Object.fromEntries(texts)
}

/** What a program must know to run the network: layouts, and for pictures their colors, range and sizes. */
function describe({ id, options, inputs, outputs, size, scale, channels, role }: LoadedModel): Metadata {
  const layouts = Object.entries(inputs).map(([name, layout]) => [
    name,
    layout.replaceAll(/\w+/g, (letter) => String(options[letter] ?? letter)),
  ])
  const network = {
    model: id,
    options: JSON.stringify(options),
    inputs: JSON.stringify(Object.fromEntries(layouts)),
    outputs: JSON.stringify(outputs),
  }
  if (role.kind !== 'restores' && role.kind !== 'samples') return network
  return {
    ...network,
    colors: channels.input === 1 ? 'gray' : 'RGB',
    range: '0..1',
    multipleOf: String(size.multipleOf),
    minimum: String(size.minimum),
    scale: String(scale),
  }
}

/** Sizes by the letters of a layout. */
type Sizes<D extends Dim> = Readonly<Record<string, D>>

/** Sizes of the graph, and those it is checked at. */
function sizesOf(
  { size, dynamic }: ExportOptions,
  { size: networkSize, options }: LoadedModel,
): { readonly traced: Sizes<Dim>; readonly checked: Sizes<number> } {
  const { multipleOf, minimum } = networkSize
  if (dynamic && size) throw new RestoreError('usage', 'export: expected --size or --dynamic, got both')
  const b = dynamic ? 'b' : 1
  const only = onlySize(networkSize)
  if (only) {
    const [h, w] = only
    // Texts of CLIP are filled up to their longest.
    const own = { h, w, n: Number(options.contextLength) }
    if (size === undefined || (size.h === h && size.w === w))
      return { traced: { ...own, b }, checked: { ...own, b: 1 } }
    throw new RestoreError(
      'usage',
      `--size: expected ${h}x${w}, the only size of this network, got ${size.h}x${size.w}`,
    )
  }
  const near = (side: number) => roundUp(side, multipleOf)
  if (dynamic) return { traced: { b, h: 'h', w: 'w' }, checked: { b: 1, h: near(40), w: near(64) } }
  const fits = size && [size.h, size.w].every((side) => side >= minimum && side % multipleOf === 0)
  if (fits) return { traced: { b, ...size }, checked: { b: 1, ...size } }
  const wanted = `--size HxW with sides of at least ${minimum} and multiples of ${multipleOf}, or --dynamic`
  throw new RestoreError(
    'usage',
    `export: expected ${wanted}, got ${size ? `${size.h}x${size.w}` : 'neither'}`,
  )
}

/** Traces and writes a network. @throws RestoreError that names it, such as for a size that it needs to know */
function graphOf(model: LoadedModel, inputs: readonly Input<Dim>[], metadata: Metadata): Uint8Array {
  try {
    return toOnnx(trace(inputs, model.forward), { metadata })
  } catch (error) {
    if (!(error instanceof RestoreError)) throw error
    throw new RestoreError(error.code, `${model.id}: ${error.message}`, { cause: error })
  }
}

interface Input<D extends Dim> {
  readonly name: string
  readonly shape: readonly D[]
  readonly dtype: 'float32' | 'int64'
}

/** An input by its layout: numbers, letters and names of options. Only words are whole numbers, not floats. */
function inputOf<D extends Dim>(
  name: string,
  { inputs, options }: LoadedModel,
  sizes: Sizes<D>,
): Input<D | number> {
  const layout = inputs[name]?.split(' ') ?? []
  const shape = layout.map((letter) => sizes[letter] ?? Number(options[letter] ?? letter))
  return { name, shape, dtype: name === 'ids' ? 'int64' : 'float32' }
}

/** Values with detail everywhere, the same on every machine. */
function sampleOf({ name, shape, dtype }: Input<number>): readonly [string, TensorData] {
  const count = elementCount(shape)
  if (dtype === 'int64') {
    const ids = BigInt64Array.from({ length: count }, (_, i) => BigInt((7 * i) % 100))
    return [name, { dtype, shape, bytes: new Uint8Array(ids.buffer) }]
  }
  const values = Float32Array.from(
    { length: count },
    (_, i) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97)),
  )
  return [name, float32Data(values, shape)]
}

async function compareWithEager(bytes: Uint8Array, model: LoadedModel, sample: NamedData): Promise<number> {
  const { torchSession } = await import('../../torch/torchSession.ts')
  const session = await onnxSession(bytes)
  const exported = await session.run(sample).finally(() => session.close())
  const eager = await torchSession(model.network, model.forward).run(sample)
  let difference = 0
  let largest = 0
  for (const [name, expected] of Object.entries(eager)) {
    const actual = exported[name]
    const a = actual ? toFloat32(actual) : new Float32Array(0)
    const b = toFloat32(expected)
    for (let i = 0; i < b.length; i++) {
      difference = Math.max(difference, Math.abs((a[i] ?? Number.NaN) - b[i]!))
      largest = Math.max(largest, Math.abs(b[i]!))
    }
  }
  if (difference <= tolerance * largest) return difference
  throw new RestoreError(
    'numeric',
    `export: expected ONNX Runtime to agree with libtorch to ${tolerance} of ${largest.toPrecision(3)}, got a difference of ${difference}; nothing was written`,
  )
}
