// onnx-restormer: seconds that ONNX Runtime takes for the full Restormer on a 256×256 image: through weights, as restoring does it in a
// process of its own, or through the graph of a file.
// usage: onnxRestormer THREADS OUTPUT.f32 WEIGHTS.safetensors|MODEL.onnx

import { readFileSync, writeFileSync } from 'node:fs'
import * as runtime from 'onnxruntime-node'
import { elementCount, float32Data } from '../../src/core/data.ts'
import { ComputeSession } from '../../src/runtime/compute.ts'
import { openOnnx } from '../../src/runtime/session.ts'
import { medianSeconds, memoryBytes, report } from '../measure.ts'

const shape = [1, 3, 256, 256] as const
const [, , threads, output = '', file = ''] = process.argv
const values = Float32Array.from(
  { length: elementCount(shape) },
  (_, i) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97)),
)
const inputs = { x: float32Data(values, shape) }

/** The first run of our side traces and opens the graph, which the warm-up covers; both sides prepare until it is done. */
const start = performance.now()
const isOurs = file.endsWith('.safetensors')
const session = isOurs
  ? await ComputeSession.open({
      ...{ weights: file, options: {}, backend: 'onnx', device: 'cpu', deviceIndex: 0 },
      threads: Number(threads),
    })
  : await openOnnx(runtime, readFileSync(file), {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      intraOpNumThreads: Number(threads),
    })
const { y } = await session.run(inputs)
const prepareSeconds = (performance.now() - start) / 1000
const value = await medianSeconds(() => session.run(inputs), { warmups: 0, runs: 3 })
const childBytes = session instanceof ComputeSession ? memoryBytes('VmHWM', session.pid) : 0
report({ value, prepareSeconds, peakBytes: memoryBytes('VmHWM') + childBytes })
writeFileSync(output, y?.bytes ?? '')
await session.close()
