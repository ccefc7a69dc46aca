// Weights of PyTorch's export of Restormer, from a formula.

import { join } from 'node:path'
import { writeSafetensors } from '../src/checkpoints/files.ts'
import { Restormer, restormerDefaults } from '../src/models/restormer/restormer.ts'
import { emptyInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { fanInScale, fillByFormula, type ScaleOf } from './sides/formula.ts'

const scaleOf: ScaleOf = (key, shape) => {
  if (key.endsWith('temperature')) return [0.5, 1]
  return /norm\d\.body\.weight$/.test(key) ? [0.1, 1] : fanInScale(shape)
}

/** Writes the weights to a folder and returns the path of the file. */
export function writeRestormer(folder: string): string {
  const path = join(folder, 'restormer.safetensors')
  const model = new Restormer(emptyInit(), restormerDefaults)
  fillByFormula(model, scaleOf)
  writeSafetensors(path, new Map([...stateDict(model)].map(([key, tensor]) => [key, tensor.read()])))
  return path
}
