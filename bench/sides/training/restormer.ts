// Our side of train-restormer: seconds per training step of a half-width Restormer on 4 crops of 64 × 64.
// usage: restormer THREADS float32|bfloat16

import { setThreads } from '../../../src/torch/device.ts'
import { medianSeconds, report } from '../../measure.ts'
import { trainer } from './trainer.ts'

const [, , threads, dtype] = process.argv
setThreads(Number(threads))
const step = trainer({
  options: { dim: 24, numBlocks: [2, 3, 3, 4], numRefinementBlocks: 2 },
  shape: [4, 3, 64, 64],
  isHalf: dtype === 'bfloat16',
})
report({ value: await medianSeconds(step, { warmups: 2, runs: 5 }) })
