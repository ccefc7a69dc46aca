// Our side of irsde-unet: seconds per call of DA-CLIP's universal U-Net on an image of 256 × 256, with
// precomputed conditioning.
// usage: irsdeUnet THREADS OUTPUT.f32

import { writeFileSync } from 'node:fs'
import { float32Data, viewAs } from '../../src/core/data.ts'
import {
  ConditionalUnet,
  type Conditioning,
  conditionalUnetDefaults,
  universalUnet,
} from '../../src/models/conditionalUnet/conditionalUnet.ts'
import { emptyInit } from '../../src/nn/init.ts'
import { toOnnx } from '../../src/onnx/compile.ts'
import { trace } from '../../src/onnx/tracer.ts'
import { onnxSession } from '../../src/runtime/session/nodeOnnxSession.ts'
import { medianSeconds, report } from '../measure.ts'
import { fillByFormula, formulaImage, scales } from './formula.ts'

const [, , , output = ''] = process.argv
const start = performance.now()
const shape = [1, 3, 256, 256]
const model = new ConditionalUnet(emptyInit(), { ...conditionalUnetDefaults, ...universalUnet })
fillByFormula(model, scales.unet)

const embedding = formulaImage([1, universalUnet.contextWidth])
const conditioner = await onnxSession(
  toOnnx(
    trace([{ name: 'embedding', shape: embedding.shape }], ({ embedding: traced }) => {
      const { prompt, content } = model.condition({ content: traced, degradation: traced })
      const [down, middle, up] = content!
      return { prompt: prompt!, down, middle, up }
    }),
  ),
)
const conditioning = await conditioner.run({ embedding })
const degraded = formulaImage(shape)
const values = viewAs(degraded.bytes, Float32Array)
const mirrored = values.map((_, i) => values[i - (i % 256) + 255 - (i % 256)]!)
const inputs = {
  state: float32Data(mirrored, shape),
  degraded,
  time: float32Data(Float32Array.of(50), [1]),
  ...conditioning,
}
const traceInputs = Object.entries(inputs).map(([name, { shape: sizes }]) => ({ name, shape: sizes }))
const session = await onnxSession(
  toOnnx(
    trace(traceInputs, ({ state, degraded: input, time, prompt, down, middle, up }) => {
      const condition: Conditioning = { prompt: prompt!, content: [down!, middle!, up!] }
      return { prediction: model.forward({ state: state!, degraded: input!, time: time! }, condition) }
    }),
  ),
)
const prepareSeconds = (performance.now() - start) / 1000

const run = () => session.run(inputs)
report({ value: await medianSeconds(run, { warmups: 1, runs: 3 }), prepareSeconds })
writeFileSync(output, (await run()).prediction?.bytes ?? '')
