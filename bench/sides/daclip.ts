// Our side of daclip: seconds per image through DA-CLIP's image encoder and controller, ViT-B/32.
// usage: daclip THREADS OUTPUT.f32

import { writeFileSync } from 'node:fs'
import { clipDefaults } from '../../src/models/clip/clip.ts'
import { DaClip } from '../../src/models/daclip/daclip.ts'
import { emptyInit } from '../../src/nn/init.ts'
import { toOnnx } from '../../src/onnx/compile.ts'
import { trace } from '../../src/onnx/tracer.ts'
import { onnxSession } from '../../src/runtime/session/nodeOnnxSession.ts'
import { medianSeconds, report } from '../measure.ts'
import { fillByFormula, formulaImage, scales } from './formula.ts'

const [, , , output = ''] = process.argv
const start = performance.now()
const model = new DaClip(emptyInit(), clipDefaults)
fillByFormula(model, scales.daclip, { skip: (key) => !/^(clip\.)?visual/.test(key) })
const image = formulaImage([1, 3, ...clipDefaults.imageSize])
const session = await onnxSession(
  toOnnx(trace([{ name: 'image', shape: image.shape }], ({ image: x }) => ({ ...model.encodeImage(x!) }))),
)
const prepareSeconds = (performance.now() - start) / 1000

const run = () => session.run({ image })
report({ value: await medianSeconds(run, { warmups: 3, runs: 15 }), prepareSeconds })
const { content, degradation } = await run()
writeFileSync(output, Buffer.concat([content!.bytes, degradation!.bytes]))
