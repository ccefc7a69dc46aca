// Our side of dasr: seconds for an image of 120 × 120 through the full DASR, ×4, encoder and generator.
// usage: dasr THREADS OUTPUT.f32

import { writeFileSync } from 'node:fs'
import type { Tensor } from '../../src/core/tensor.ts'
import { Dasr, dasrDefaults } from '../../src/models/dasr/dasr.ts'
import { randomInit } from '../../src/nn/init.ts'
import { toOnnx } from '../../src/onnx/compile.ts'
import { type TraceInput, trace } from '../../src/onnx/tracer.ts'
import { onnxSession } from '../../src/runtime/session/nodeOnnxSession.ts'
import { medianSeconds, report } from '../measure.ts'
import { fillByFormula, formulaImage, scales } from './formula.ts'

const [, , , output = ''] = process.argv
const start = performance.now()
const model = new Dasr(
  randomInit(() => 0.5),
  dasrDefaults,
)
fillByFormula(model, scales.dasr, { skip: (key) => key.includes('_mean') && key.startsWith('G.') })
const image: TraceInput = { name: 'x', shape: [1, 3, 120, 120] }
const open = (
  inputs: readonly TraceInput[],
  forward: (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>,
) => onnxSession(toOnnx(trace(inputs, forward)))
const encoder = await open([image], ({ x }) => ({ fea: model.encode(x!) }))
const representation = { name: 'fea', shape: [1, 256] }
const generator = await open([image, representation], ({ x, fea }) => ({ y: model.restore(x!, fea!) }))
const prepareSeconds = (performance.now() - start) / 1000

const x = formulaImage(image.shape as readonly number[])
const run = async () => {
  const { fea } = await encoder.run({ x })
  return (await generator.run({ x, fea: fea! })).y!
}
report({ value: await medianSeconds(run, { warmups: 2, runs: 5 }), prepareSeconds })
writeFileSync(output, (await run()).bytes)
