// Makes weights from which light-upscale-x4 starts: those of ×2, whose result is repeated in blocks of 2 × 2.
// usage: npx tsx scripts/upscaleStart.ts LIGHT-UPSCALE-X2 OUTPUT

import { readCheckpoint, writeSafetensors } from '../src/checkpoints/files.ts'
import { float32Data, viewAs } from '../src/core/data.ts'
import { LightUpscale } from '../src/models/lightUpscale/lightUpscale.ts'
import { stateDict } from '../src/nn/module.ts'
import { loadModel } from '../src/registry/loadModel.ts'

const [from, to] = process.argv.slice(2)
if (!from || !to) throw new Error('usage: npx tsx scripts/upscaleStart.ts LIGHT-UPSCALE-X2 OUTPUT')

const { network } = loadModel(readCheckpoint(from))
if (!(network instanceof LightUpscale && network.options.scale === 2))
  throw new Error(`${from}: expected weights of light-upscale that double a picture`)

/** Rows of the last convolution by channel and place in a block of 4 × 4, from those of a block of 2 × 2. */
function enlarged(rows: Float32Array): Float32Array {
  const length = rows.length / 12
  const out = new Float32Array(4 * rows.length)
  for (let row = 0; row < 48; row++) {
    const [c, y, x] = [row >> 4, (row >> 2) & 3, row & 3]
    const source = 4 * c + 2 * (y >> 1) + (x >> 1)
    out.set(rows.subarray(source * length, (source + 1) * length), row * length)
  }
  return out
}

const tensors = [...stateDict(network)].map(([key, tensor]) => {
  const data = tensor.read()
  if (!key.startsWith('tail.')) return [key, data] as const
  return [key, float32Data(enlarged(viewAs(data.bytes, Float32Array)), [48, ...data.shape.slice(1)])] as const
})
writeSafetensors(to, new Map(tensors))
