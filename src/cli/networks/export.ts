// limpid export: a network as an ONNX file, checked before it is called done.

import { toFloat32 } from '../../checkpoints/convert.ts'
import { readCheckpoint } from '../../checkpoints/files.ts'
import { elementCount, float32Data } from '../../core/data.ts'
import type { Dim } from '../../core/dims.ts'
import { RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import type { NamedData } from '../../core/session.ts'
import { toOnnx } from '../../onnx/compile.ts'
import { trace } from '../../onnx/tracer.ts'
import { type LoadedModel, loadModel } from '../../registry/builders.ts'
import { licenses } from '../../registry/cards.ts'
import { onnxSession } from '../../runtime/session/sessionNode.ts'
import { writeResult } from '../result.ts'
import { checkOutput, type GlobalOptions, printResult, reporter } from '../shell.ts'

export interface ExportOptions extends GlobalOptions {
  readonly weights: string
  readonly size?: string
  readonly dynamic?: boolean
  readonly overwrite?: boolean
}

/** Largest difference allowed to the eager result, relative to its largest value: float32 rounding through a deep network. */
const tolerance = 1e-4

export async function exportCommand(output: string, options: ExportOptions): Promise<void> {
  checkOutput(output, options.overwrite)
  const model = loadModel(readCheckpoint(options.weights))
  const { h, w, checked } = sizeOf(options, model)
  const news = reporter(options)
  news.show('tracing and optimising')
  const { builder } = model
  const batch: Dim = options.dynamic ? 'b' : 1
  const [name = 'x'] = Object.keys(builder.inputs)
  const shape = [batch, builder.channels(model.options).input, h, w]
  const metadata = {
    model: model.id,
    options: JSON.stringify(model.options),
    licence: licenses[builder.license].title,
  }
  const graph = trace([{ name, shape }], model.forward)
  const bytes = toOnnx(graph, { metadata })
  news.show('checking against the eager result')
  const sample = sampleInput(name, [1, builder.channels(model.options).input, ...checked])
  const difference = await compareWithEager(bytes, model, sample)
  writeResult(output, bytes)
  news.done()
  const summary = `${output}, largest difference to libtorch ${difference.toExponential(1)}`
  printResult(options, { output, shape, bytes: bytes.length, difference }, summary)
}

/** Height and width of the graph, and those it is checked at. */
function sizeOf(
  { size, dynamic }: ExportOptions,
  { builder }: LoadedModel,
): { h: Dim; w: Dim; checked: [number, number] } {
  const { multipleOf, minimum } = builder.size
  if (dynamic && size) throw new RestoreError('usage', 'export: expected --size or --dynamic, got both')
  if (dynamic) return { h: 'h', w: 'w', checked: [roundUp(40, multipleOf), roundUp(64, multipleOf)] }
  const match = /^(\d+)x(\d+)$/.exec(size ?? '')
  const [height, width] = [Number(match?.[1]), Number(match?.[2])]
  const fits = [height, width].every((side) => side >= minimum && side % multipleOf === 0)
  if (!match || !fits) {
    const wanted = `--size HxW with sides of at least ${minimum} and multiples of ${multipleOf}, or --dynamic`
    throw new RestoreError('usage', `export: expected ${wanted}, got ${size ?? 'neither'}`)
  }
  return { h: height, w: width, checked: [height, width] }
}

/** A picture with detail everywhere, the same on every machine. */
function sampleInput(name: string, shape: readonly number[]): NamedData {
  const values = Float32Array.from(
    { length: elementCount(shape) },
    (_, i) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97)),
  )
  return { [name]: float32Data(values, shape) }
}

async function compareWithEager(bytes: Uint8Array, model: LoadedModel, sample: NamedData): Promise<number> {
  const { torchSession } = await import('../../torch/session.ts')
  const session = await onnxSession(bytes)
  const exported = await session.run(sample).finally(() => session.close())
  const eager = await torchSession(model.network, model.forward).run(sample)
  let [difference, largest] = [0, 0]
  for (const [name, expected] of Object.entries(eager)) {
    const actual = exported[name]
    const [a, b] = [actual ? toFloat32(actual) : new Float32Array(0), toFloat32(expected)]
    for (let i = 0; i < b.length; i++) {
      difference = Math.max(difference, Math.abs((a[i] ?? Number.NaN) - (b[i] as number)))
      largest = Math.max(largest, Math.abs(b[i] as number))
    }
  }
  if (difference <= tolerance * largest) return difference
  throw new RestoreError(
    'numeric',
    `export: expected ONNX Runtime to agree with libtorch to ${tolerance} of ${largest.toPrecision(3)}, got a difference of ${difference}; nothing was written`,
  )
}
