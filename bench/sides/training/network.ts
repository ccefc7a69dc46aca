// Our side of train-ipt, train-dasr, train-irsde and train-daclip: seconds per training step. Writes the
// losses of the first three steps.
// usage: network THREADS OUTPUT.f32 NAME

import { writeFileSync } from 'node:fs'
import { scope } from '../../../src/torch/backend.ts'
import { setThreads } from '../../../src/torch/device.ts'
import { addGradients } from '../../../src/train/optimization/step.ts'
import { medianSeconds, report } from '../../measure.ts'
import { isTraining, trainings } from './trainings.ts'

const [, , threads, output = '', name = ''] = process.argv
if (!isTraining(name))
  throw new TypeError(`expected one of ${Object.keys(trainings).join(', ')}, got ${name}`)
setThreads(Number(threads))
const { optimizer, learningRate, losses } = trainings[name]()

const stepLosses: number[][] = []
const step = () => {
  optimizer.zeroGrad()
  const values = addGradients(() => losses(stepLosses.length))
  scope(() => optimizer.step(learningRate))
  stepLosses.push(Object.values(values))
}
report({ value: await medianSeconds(step, { warmups: 3, runs: 3 }) })
writeFileSync(output, Float32Array.from(stepLosses.slice(0, 3).flat()))
