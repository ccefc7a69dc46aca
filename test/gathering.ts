// One of several processes, or one alone: prints the gradient of a weight by the contrast of rows of all, and their labels.

import { loadAddon } from '../native/load.ts'
import { float32Data } from '../src/core/data.ts'
import { counterRandom } from '../src/core/random.ts'
import { contrastiveLoss, normalized } from '../src/nn/contrastive.ts'
import { backward, grad, handleOf, scope, toTorch } from '../src/torch/backend.ts'
import { averageGradients, gatherNumbers, gatherRows, joinGroup, leaveGroup } from '../src/torch/group.ts'
import { numbersOf } from './values.ts'

const [rows, features] = [6, 4]
const { rank, size } = joinGroup()
const own = rows / size

function matrix(stream: number, count: number) {
  const random = counterRandom(stream)
  const values = Float32Array.from({ length: count * features }, () => random.normal())
  return toTorch(float32Data(values, [count, features]))
}

const weight = matrix(1, features)
loadAddon().setRequiresGrad(handleOf(weight), true)
const mine = (stream: number) => matrix(stream, rows).slice(0, rank * own, (rank + 1) * own)
const parameters = new Map([['weight', weight]])
scope(() => {
  const images = normalized(mine(2).matmul(weight))
  const loss = contrastiveLoss(
    gatherRows(images),
    gatherRows(normalized(mine(3))),
    toTorch(float32Data(Float32Array.of(3), [])),
  )
  backward(loss)
})
averageGradients(parameters)
const labels = gatherNumbers(Array.from({ length: own }, (_, i) => rank * own + i))
console.log(JSON.stringify({ gradient: Array.from(numbersOf(grad(weight)!.read())), labels }))
leaveGroup()
