// Processor seconds per image through a network in a dtype, on one thread of a separate process as the restorer runs it.
// usage: dtype THREADS OUTPUT.f32 WEIGHTS IMAGE.f32 SIDE float32|bfloat16; THREADS is ignored

import { readFileSync, writeFileSync } from 'node:fs'
import { ProcessSession } from '../../src/runtime/session/computeProcess.ts'
import { median, memoryBytes, report } from '../measure.ts'

const [, , , output = '', weights = '', image = '', side, dtype] = process.argv
const inputs = {
  x: { dtype: 'float32', shape: [1, 3, Number(side), Number(side)], bytes: readFileSync(image) },
} as const
const placement =
  dtype === 'bfloat16'
    ? ({ backend: 'torch', dtype } as const)
    : ({ backend: 'onnx', dtype: 'float32' } as const)
const session = await ProcessSession.open({
  ...{ weights, options: {}, device: 'cpu', deviceIndex: 0, threads: 1 },
  ...placement,
})
/** Time of the thread that computes: unlike the clock, it hardly depends on what else runs. */
const processorSeconds = () =>
  Number(readFileSync(`/proc/${session.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9

const { y } = await session.run(inputs)
writeFileSync(output, y?.bytes ?? '')
const seconds: number[] = []
for (let i = 0; i < 5; i++) {
  const start = processorSeconds()
  await session.run(inputs)
  seconds.push(processorSeconds() - start)
}
report({ value: median(seconds), peakBytes: memoryBytes('VmHWM') + memoryBytes('VmHWM', session.pid) })
await session.close()
