// onnx-restormer: seconds that ONNX Runtime takes for the full Restormer on a 256×256 image, through our graph or that of a file.
// usage: onnxRestormer THREADS OUTPUT.f32 [MODEL.onnx]

import { readFileSync, writeFileSync } from 'node:fs'
import * as runtime from 'onnxruntime-node'
import { elementCount, float32Data } from '../../src/core/data.ts'
import { hostTensor } from '../../src/core/host.ts'
import { Restormer, restormerDefaults } from '../../src/models/restormer.ts'
import { emptyInit } from '../../src/nn/init.ts'
import { mapTensors, stateDict } from '../../src/nn/module.ts'
import { toOnnx } from '../../src/onnx/compile.ts'
import { trace } from '../../src/onnx/tracer.ts'
import { openOnnx } from '../../src/runtime/session.ts'
import { onnxSession } from '../../src/runtime/sessionNode.ts'
import { medianSeconds, report } from '../measure.ts'

const shape = [1, 3, 256, 256] as const

/** The weights that the reference file holds: s = sin(0.7·(i mod 1024) + 1.3·k) for element i of the k-th tensor, scaled by its kind. */
function formulaWeights(model: Restormer): void {
  const order = [...stateDict(model).keys()]
  mapTensors(model, (tensor, key) => {
    const sizes = tensor.shape as readonly number[]
    const values = new Float32Array(elementCount(sizes))
    const k = order.indexOf(key)
    const [scale, offset] = scaleOf(key, elementCount(sizes.slice(1)))
    for (let i = 0; i < Math.min(1024, values.length); i++)
      values[i] = offset + scale * Math.sin(0.7 * i + 1.3 * k)
    for (let filled = 1024; filled < values.length; filled *= 2) values.copyWithin(filled, 0, filled)
    return hostTensor(float32Data(values, sizes))
  })
}

function scaleOf(key: string, fanIn: number): readonly [scale: number, offset: number] {
  if (key.endsWith('temperature')) return [0.5, 1]
  if (key.endsWith('body.bias')) return [0.1, 0]
  if (/norm\d\.body\.weight$/.test(key)) return [0.1, 1]
  return [1 / Math.sqrt(fanIn), 0]
}

function ourModel(): Uint8Array {
  const model = new Restormer(emptyInit(), restormerDefaults)
  formulaWeights(model)
  return toOnnx(trace([{ name: 'x', shape }], ({ x }) => ({ y: model.forward(x!) })))
}

const [, , threads, output = '', file] = process.argv
const start = performance.now()
const session =
  file === undefined
    ? await onnxSession(ourModel())
    : await openOnnx(runtime, readFileSync(file), {
        executionProviders: ['cpu'],
        graphOptimizationLevel: 'all',
        intraOpNumThreads: Number(threads),
      })
const prepareSeconds = (performance.now() - start) / 1000

const values = Float32Array.from(
  { length: elementCount(shape) },
  (_, i) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97)),
)
const inputs = { x: float32Data(values, shape) }
const run = () => session.run(inputs)
report({ value: await medianSeconds(run, { warmups: 1, runs: 3 }), prepareSeconds })
writeFileSync(output, (await run()).y?.bytes ?? '')
