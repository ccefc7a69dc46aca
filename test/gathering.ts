// One of several processes, or one alone: prints the gradient of a weight by the contrast of rows of all, and their labels.

import { loadAddon } from '../native/load.ts'
import { float32Data } from '../src/core/data.ts'
import { counterRandom } from '../src/core/random.ts'
import type { Tensor } from '../src/core/tensor.ts'
import { contrastiveLoss, normalized } from '../src/nn/contrastive.ts'
import { backward, grad, handleOf, scope, toTorch } from '../src/torch/backend.ts'
import {
  averageGradients,
  gatherNumbers,
  gatherRows,
  groupOf,
  joinGroup,
  leaveGroup,
} from '../src/torch/group.ts'
import { numbersOf } from './values.ts'

const rows = 6
const features = 4
const joining = groupOf(process.env)
joinGroup(joining, process.env)
const { rank, size } = joining
const own = rows / size

function matrix(stream: number, count: number) {
  const random = counterRandom(stream)
  const values = Float32Array.from({ length: count * features }, () => random.normal())
  return toTorch(float32Data(values, [count, features]))
}

const weight = matrix(1, features)
loadAddon().setRequiresGrad(handleOf(weight), true)
const mine = (stream: number) => matrix(stream, rows).slice(0, rank * own, (rank + 1) * own)
// Only the first process has a gradient of one, and nobody of another.
const ofFirst = matrix(4, 1)
const ofNone = matrix(5, 1)
for (const tensor of [ofFirst, ofNone]) loadAddon().setRequiresGrad(handleOf(tensor), true)
const parameters = new Map(Object.entries({ ofFirst, ofNone, weight }))
scope(() => {
  const images = normalized(mine(2).matmul(weight))
  const loss = contrastiveLoss(
    gatherRows(images),
    gatherRows(normalized(mine(3))),
    toTorch(float32Data(Float32Array.of(3), [])),
  )
  backward(rank === 0 ? loss.add(ofFirst.sum()) : loss)
})
averageGradients(parameters)
const labels = gatherNumbers(Array.from({ length: own }, (_, i) => rank * own + i))
const gradientOf = (tensor: Tensor) => Array.from(numbersOf((grad(tensor) as Tensor).read()))
const told = {
  gradient: gradientOf(weight),
  ofFirst: gradientOf(ofFirst),
  hasNone: grad(ofNone) === undefined,
  labels,
}
console.log(JSON.stringify(told))
leaveGroup()
