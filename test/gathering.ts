// Runs as one of several processes, or alone: prints a weight's gradient of the
// contrastive loss over all rows, and the labels.

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
const group = groupOf(process.env)
joinGroup(group, process.env)
const { rank, size } = group
const own = rows / size

function matrix(stream: number, count: number) {
  const random = counterRandom(stream)
  const values = Float32Array.from({ length: count * features }, () => random.normal())
  return toTorch(float32Data(values, [count, features]))
}

const weight = matrix(1, features)
loadAddon().setRequiresGrad(handleOf(weight), true)
const mine = (stream: number) => matrix(stream, rows).slice(0, rank * own, (rank + 1) * own)
// `first` has a gradient only in the first process, `unused` in none.
const first = matrix(4, 1)
const unused = matrix(5, 1)
for (const tensor of [first, unused]) loadAddon().setRequiresGrad(handleOf(tensor), true)
const parameters = new Map(Object.entries({ first, unused, weight }))
scope(() => {
  const images = normalized(mine(2).matmul(weight))
  const loss = contrastiveLoss(
    gatherRows(images),
    gatherRows(normalized(mine(3))),
    toTorch(float32Data(Float32Array.of(3), [])),
  )
  backward(rank === 0 ? loss.add(first.sum()) : loss)
})
averageGradients(parameters)
const labels = gatherNumbers(Array.from({ length: own }, (_, i) => rank * own + i))
const gradientOf = (tensor: Tensor) => Array.from(numbersOf((grad(tensor) as Tensor).read()))
const output = {
  gradient: gradientOf(weight),
  firstGradient: gradientOf(first),
  hasNone: grad(unused) === undefined,
  labels,
}
console.log(JSON.stringify(output))
leaveGroup({ waitsForOthers: true })
