// Seconds per image of 256 × 256 through a network on ONNX Runtime: our side of onnx-restormer and of the community's networks, which runs weights
// in a separate process, as the restorer does; and the reference of onnx-restormer, which runs the graph of a file.
// usage: onnxImage THREADS OUTPUT.f32 WEIGHTS.safetensors|WEIGHTS.pth|MODEL.onnx

import { readFileSync, writeFileSync } from 'node:fs'
import * as runtime from 'onnxruntime-node'
import { ProcessSession } from '../../src/runtime/session/computeProcess.ts'
import { openOnnx } from '../../src/runtime/session/onnxSession.ts'
import { medianSeconds, memoryBytes, report } from '../measure.ts'
import { formulaImage } from './formula.ts'

const [, , threads, output = '', file = ''] = process.argv
const inputs = { x: formulaImage([1, 3, 256, 256]) }

// Our side traces and opens the graph during the first image, so the time of an image is subtracted below.
const start = performance.now()
const session = !file.endsWith('.onnx')
  ? await ProcessSession.open({
      weights: file,
      options: {},
      backend: 'onnx',
      device: 'cpu',
      deviceIndex: 0,
      dtype: 'float32',
      threads: Number(threads),
    })
  : await openOnnx(runtime, readFileSync(file), {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      intraOpNumThreads: Number(threads),
    })
const { y } = await session.run(inputs)
const firstSeconds = (performance.now() - start) / 1000
const value = await medianSeconds(() => session.run(inputs), { warmups: 0, runs: 3 })
const childBytes = session instanceof ProcessSession ? memoryBytes('VmHWM', session.pid) : 0
report({ value, prepareSeconds: firstSeconds - value, peakBytes: memoryBytes('VmHWM') + childBytes })
writeFileSync(output, y?.bytes ?? '')
await session.close()
