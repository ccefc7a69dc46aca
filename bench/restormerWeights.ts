// The weights of PyTorch's export of Restormer, which a formula gives: s = sin(0.7·(i mod 1024) + 1.3·k) for element i of the k-th
// tensor, scaled by its kind.

import { join } from 'node:path'
import { writeSafetensors } from '../src/checkpoints/files.ts'
import { elementCount, float32Data, type TensorData } from '../src/core/data.ts'
import { Restormer, restormerDefaults } from '../src/models/restormer.ts'
import { emptyInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'

/** Writes them into a folder and returns the path of the file. */
export function writeRestormer(folder: string): string {
  const path = join(folder, 'restormer.safetensors')
  const model = new Restormer(emptyInit(), restormerDefaults)
  const tensors = [...stateDict(model)].map(([key, { shape }], k): [string, TensorData] => {
    return [key, formula(key, shape as readonly number[], k)]
  })
  writeSafetensors(path, new Map(tensors))
  return path
}

function formula(key: string, sizes: readonly number[], k: number): TensorData {
  const values = new Float32Array(elementCount(sizes))
  const [scale, offset] = scaleOf(key, elementCount(sizes.slice(1)))
  for (let i = 0; i < Math.min(1024, values.length); i++)
    values[i] = offset + scale * Math.sin(0.7 * i + 1.3 * k)
  for (let filled = 1024; filled < values.length; filled *= 2) values.copyWithin(filled, 0, filled)
  return float32Data(values, sizes)
}

function scaleOf(key: string, fanIn: number): readonly [scale: number, offset: number] {
  if (key.endsWith('temperature')) return [0.5, 1]
  if (key.endsWith('body.bias')) return [0.1, 0]
  if (/norm\d\.body\.weight$/.test(key)) return [0.1, 1]
  return [1 / Math.sqrt(fanIn), 0]
}
