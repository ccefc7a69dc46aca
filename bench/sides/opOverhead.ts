// Our side of op-overhead: microseconds per op on a tiny tensor, through the methods of Tensor.
// usage: opOverhead THREADS gradient|plain

import { loadAddon } from '../../native/load.ts'
import { float32Data } from '../../src/core/data.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { handleOf, noGrad, scope, toTorch } from '../../src/torch/backend.ts'
import { medianSeconds, report } from '../measure.ts'

const opsPerRun = 1000

const [, , threads, mode] = process.argv
const addon = loadAddon()
addon.setThreads(Number(threads))

const tiny = (value: number) => toTorch(float32Data(new Float32Array(4).fill(value), [4]))
const x = tiny(0.5)
const factor = tiny(0.999)
const offset = tiny(0.001)

function chain(): Tensor {
  let y = x
  for (let i = 0; i < opsPerRun / 2; i++) y = y.mul(factor).add(offset)
  return y
}

const run = mode === 'gradient' ? chain : () => noGrad(chain)
if (mode === 'gradient') addon.setRequiresGrad(handleOf(x), true)
const step = () => scope(() => void run())
report({ value: ((await medianSeconds(step, { warmups: 50, runs: 200 })) / opsPerRun) * 1e6 })
