// Makes weights from which light-inspect starts: its encoder sees what light-detect's controller has learnt to
// see, without positions; the rest is random.
// usage: npx tsx scripts/inspectStart.ts LIGHT-DETECT OUTPUT

import { readCheckpoint, writeSafetensors } from '../src/checkpoints/files.ts'
import { float32Data, viewAs } from '../src/core/data.ts'
import { counterRandom } from '../src/core/random.ts'
import { photoColors } from '../src/data/clip/clipImage.ts'
import type { DaClip } from '../src/models/daclip/daclip.ts'
import { LightInspect, lightInspectDefaults } from '../src/models/lightInspect/lightInspect.ts'
import { randomInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { loadModel } from '../src/registry/loadModel.ts'

const [from, to] = process.argv.slice(2)
if (!from || !to) throw new Error('usage: npx tsx scripts/inspectStart.ts LIGHT-DETECT OUTPUT')

const learnt = stateDict((loadModel(readCheckpoint(from)).network as DaClip).visual_control)
const learntValues = (key: string) => {
  const tensor = learnt.get(key)
  if (!tensor) throw new Error(`${from}: expected visual_control.${key}, which weights of light-detect have`)
  return viewAs(tensor.read().bytes, Float32Array)
}

/** Convolution of pixels in 0..1, doubled and shifted by -1, that does what CLIP's does with its normalized ones. */
function firstConv(): Readonly<Record<'weight' | 'bias', Float32Array>> {
  const [weight, bias] = [learntValues('stem.0.weight').slice(), learntValues('stem.0.bias').slice()]
  const area = weight.length / bias.length / 3
  for (const [i, value] of weight.entries()) {
    const c = Math.floor(i / area) % 3
    const [mean, deviation] = [photoColors.mean[c]!, photoColors.deviation[c]!]
    const out = Math.floor(i / area / 3)
    weight[i] = value / (2 * deviation)
    bias[out] = bias[out]! + (value * (0.5 - mean)) / deviation
  }
  return { weight, bias }
}

/** Mean of the rows of a matrix from one of them on. */
function meanRow(rows: Float32Array, width: number, first: number): Float32Array {
  const count = rows.length / width - first
  return Float32Array.from({ length: width }, (_, c) => {
    let sum = 0
    for (let row = first; row < first + count; row++) sum += rows[row * width + c]!
    return sum / count
  })
}

const positions = learntValues('positional_embedding')
const width = lightInspectDefaults.stem[2]
const first = firstConv()
const made: Readonly<Record<string, () => Float32Array>> = {
  'stem.0.weight': () => first.weight,
  'stem.0.bias': () => first.bias,
  'patch.weight': () => learntValues('conv1.weight'),
  'patch.bias': () => meanRow(positions, width, 1),
  first: () => learntValues('class_embedding').map((value, c) => value + positions[c]!),
}

const random = counterRandom(0)
const network = new LightInspect(
  randomInit(() => random.uniform()),
  lightInspectDefaults,
)
const tensors = [...stateDict(network)].map(([key, tensor]) => {
  const inner = /^encoder\.(.*)$/.exec(key)?.[1]
  if (inner === undefined) return [key, tensor.read()] as const
  const values =
    made[inner]?.() ?? learntValues(inner.replace(/^blocks/, 'transformer.transformer.resblocks'))
  return [key, float32Data(values, tensor.shape as readonly number[])] as const
})
writeSafetensors(to, new Map(tensors))
