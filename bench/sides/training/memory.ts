// train-memory: resident memory in MiB while training a tiny network, after 1,500 steps and, as the
// reference, after 500, when the JavaScript heap has reached its size.
// usage: memory THREADS

import { setThreads } from '../../../src/torch/device.ts'
import { memoryBytes, report } from '../../measure.ts'
import { trainer } from './trainer.ts'

setThreads(Number(process.argv[2]))
const step = trainer({
  options: { dim: 8, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 },
  shape: [2, 3, 16, 16],
  isHalf: false,
})
const residentAfter = (steps: number) => {
  for (let i = 0; i < steps; i++) step()
  return memoryBytes('VmRSS') / 2 ** 20
}
const early = residentAfter(500)
report({ value: residentAfter(1000), reference: early })
