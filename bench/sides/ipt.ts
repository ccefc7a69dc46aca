// Our side of ipt: seconds for a square image through the full IPT, ×2, in the windows of its release.
// usage: ipt THREADS OUTPUT.f32 SIDE

import { writeFileSync } from 'node:fs'
import { tensorToImage } from '../../src/data/image.ts'
import { Ipt, iptDefaults } from '../../src/models/ipt/ipt.ts'
import { randomInit } from '../../src/nn/init.ts'
import { toOnnx } from '../../src/onnx/compile.ts'
import { trace } from '../../src/onnx/tracer.ts'
import { onnxSession } from '../../src/runtime/session/nodeOnnxSession.ts'
import { chop } from '../../src/runtime/tiles/chop.ts'
import { report } from '../measure.ts'
import { fillByFormula, formulaImage, scales } from './formula.ts'

const [, , , output = '', side = '256'] = process.argv
const batch = 8
const start = performance.now()
const { patchSize } = iptDefaults
const model = new Ipt(
  randomInit(() => 0.5),
  { ...iptDefaults, scales: [2], queries: 1 },
)
fillByFormula(model, scales.ipt, { skip: (key) => key.includes('_mean') })
const session = await onnxSession(
  toOnnx(
    trace([{ name: 'x', shape: ['b', 3, patchSize, patchSize] }], ({ x }) => ({ y: model.forward(x!, 0) })),
  ),
)
const prepareSeconds = (performance.now() - start) / 1000

const run = async (x: ReturnType<typeof formulaImage>) => (await session.run({ x })).y!
await run(formulaImage([1, 3, patchSize, patchSize]))
const image = tensorToImage(formulaImage([1, 3, Number(side), Number(side)]))
const started = performance.now()
const restored = await chop(image, run, { windowPx: patchSize, scale: 2, batch })
report({ value: (performance.now() - started) / 1000, prepareSeconds })
writeFileSync(output, new Uint8Array(restored.data.buffer))
